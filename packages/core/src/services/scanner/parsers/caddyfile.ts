/** Sites of a Caddyfile, where Caddy itself is not there to translate it. Pure; never throws. */
import type { Site, SiteRoute } from "../types.js"
import { port } from "../words.js"
import { domainOf, routePath, upstreamOf } from "./sites.js"

const most = 50_000
const deepest = 20

/** A line of a Caddyfile: its words, and the block it opens. */
interface Line {
  readonly words: ReadonlyArray<string>
  readonly block: ReadonlyArray<Line>
}

export const parseCaddyfile = (text: string): ReadonlyArray<Site> => {
  const lines = linesOf(text)
  const snippets = new Map(
    lines.flatMap((line) => {
      const name = /^\(([\w.-]+)\)$/.exec(line.words[0] ?? "")?.[1]
      return name === undefined ? [] : [[name, line.block] as const]
    }),
  )
  const blocks = lines.filter(
    (line) => line.block.length > 0 && line.words.length > 0 && !/^\(/.test(line.words[0] as string),
  )
  // A file with one site may do without braces: its first line is the address.
  const bare =
    blocks.length === 0 || lines[0]?.block.length === 0 ? [{ words: lines[0]?.words ?? [], block: lines.slice(1) }] : []
  return [...bare, ...blocks]
    .slice(0, 2_000)
    .map((line) => siteOf(line, snippets))
    .filter((site) => site.routes.length > 0 && (site.names.length > 0 || site.ports.length > 0))
}

const siteOf = ({ block, words }: Line, snippets: ReadonlyMap<string, ReadonlyArray<Line>>): Site => {
  const addresses = words.flatMap((word) => word.split(",")).filter((word) => word !== "")
  const read = addresses.map((address) =>
    /^(?:(https?):\/\/)?([^:/]*)(?::(\d+))?(?:\/.*)?$/.exec(address.slice(0, 300)),
  )
  const names = [...new Set(read.flatMap((one) => domainOf(one?.[2]) ?? []))]
  const plain = read.every((one) => one?.[1] === "http" || (one?.[3] === "80" && one[1] !== "https"))
  const lines = inlined(block, snippets, { left: 5_000 })
  const tls = names.length > 0 && !plain
  const own = lines.some((line) => line.words[0] === "tls" && line.words[1] === "internal")
  const explicit = read.flatMap((one) => port(one?.[3]) ?? [])
  const routes = new Map<string, SiteRoute>()
  for (const route of routesOf(lines, "/", lines)) if (!routes.has(route.path)) routes.set(route.path, route)
  return {
    names,
    ports: explicit.length > 0 ? [...new Set(explicit)] : names.length === 0 ? [] : tls ? [443] : [80],
    tls,
    ssl: !tls ? undefined : own ? "self-signed" : "letsencrypt",
    routes: [...routes.values()].slice(0, 500),
  }
}

const inlined = (
  block: ReadonlyArray<Line>,
  snippets: ReadonlyMap<string, ReadonlyArray<Line>>,
  budget: { left: number },
  depth = 0,
): ReadonlyArray<Line> =>
  block.flatMap((line) => {
    if (--budget.left < 0) return []
    const snippet = line.words[0] === "import" ? snippets.get(line.words[1] ?? "") : undefined
    return snippet !== undefined && depth < 5 ? inlined(snippet, snippets, budget, depth + 1) : [line]
  })

const routesOf = (
  block: ReadonlyArray<Line>,
  within: string,
  site: ReadonlyArray<Line>,
  depth = 0,
): ReadonlyArray<SiteRoute> => {
  if (depth > deepest) return []
  const inner = block.flatMap(({ block: nested, words: [name = "", ...args] }): ReadonlyArray<SiteRoute> => {
    if (name === "reverse_proxy" || name === "php_fastcgi") {
      const at = matched(args[0], site)
      const listed = nested.filter((line) => line.words[0] === "to").flatMap((line) => line.words.slice(1))
      const upstreams = [...(at === undefined ? args : args.slice(1)), ...listed].flatMap(
        (one) => upstreamOf(one, 80) ?? [],
      )
      return [{ path: at ?? within, upstreams }]
    }
    if (["handle", "handle_path", "route"].includes(name)) {
      return routesOf(nested, matched(args[0], site) ?? within, site, depth + 1)
    }
    return []
  })
  const files = block.some((line) => line.words[0] === "file_server")
  return files ? [...inner, { path: within, upstreams: [] }] : inner
}

/** The path of a matcher: `/api/*`, or `@api` defined elsewhere in the site. */
const matched = (matcher: string | undefined, site: ReadonlyArray<Line>): string | undefined => {
  if (matcher === undefined) return undefined
  if (matcher === "*") return "/"
  if (matcher.startsWith("/")) return routePath(matcher)
  if (!matcher.startsWith("@")) return undefined
  const line = site.find((one) => one.words[0] === matcher)
  const inside = line?.block.find((one) => one.words[0] === "path")?.words[1]
  return routePath(line?.words[1] === "path" ? line.words[2] : inside) ?? "/"
}

const linesOf = (text: string): ReadonlyArray<Line> => {
  const root: Array<Line> = []
  const open: Array<Array<Line>> = [root]
  let skipped = 0
  for (const raw of text.split("\n").slice(0, most)) {
    const words = wordsOf(raw.slice(0, 2_000))
    if (words.length === 0) continue
    const into = open[open.length - 1] as Array<Line>
    if (words[0] === "}") {
      if (skipped > 0) skipped--
      else if (open.length > 1) open.pop()
    } else if (words[words.length - 1] === "{") {
      const block: Array<Line> = []
      if (skipped > 0 || open.length > deepest) skipped++
      else {
        into.push({ words: words.slice(0, -1), block })
        open.push(block)
      }
    } else if (skipped === 0) into.push({ words, block: [] })
  }
  return root
}

const wordsOf = (line: string): ReadonlyArray<string> => {
  const found = line.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s"`]+/g) ?? []
  const comment = found.findIndex((word) => word.startsWith("#"))
  return (comment < 0 ? found : found.slice(0, comment)).map((word) => word.replace(/^["`]|["`]$/g, ""))
}
