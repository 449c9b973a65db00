/** Sites of nginx, from `nginx -T` or its files. Pure; never throws. */
import type { Site, SiteRoute, Upstream } from "../types.js"
import { path, port } from "../words.js"
import { type Directive, filesOf } from "./nginxSyntax.js"
import { certificateOf, domainOf, routePath, upstreamOf } from "./sites.js"

const mostSites = 2_000

/** What a site may refer to beyond its own block. `left` is how many directives may still be included. */
interface Context {
  readonly files: ReadonlyMap<string, ReadonlyArray<Directive>>
  readonly upstreams: ReadonlyMap<string, ReadonlyArray<Upstream>>
  left: number
}

export const parseNginx = (text: string): ReadonlyArray<Site> => {
  const files = filesOf(text)
  const all = [...files].flatMap(([file, directives]) => httpParts(directives).map((one) => ({ ...one, file })))
  const upstreams = new Map<string, ReadonlyArray<Upstream>>()
  for (const { args, block, name } of all) {
    if (name === "upstream" && block !== undefined && args[0] !== undefined) upstreams.set(args[0], members(block))
  }
  const context: Context = { files, upstreams, left: 100_000 }
  return all
    .filter((one) => one.name === "server" && one.block !== undefined)
    .slice(0, mostSites)
    .map((one) => ({ ...siteOf(included(one.block ?? [], context), context), file: path(one.file) }))
    .filter((site) => site.routes.length > 0)
}

/** The directives of a file and of its http blocks. What is within `stream` or `mail` is no web site. */
const httpParts = (directives: ReadonlyArray<Directive>): ReadonlyArray<Directive> =>
  directives.flatMap((one) => (one.name === "http" ? (one.block ?? []) : [one]))

const members = (block: ReadonlyArray<Directive>): ReadonlyArray<Upstream> =>
  block.filter((one) => one.name === "server").flatMap((one) => upstreamOf(one.args[0] ?? "", 80) ?? [])

/** The block with what it includes from the files at hand. */
const included = (block: ReadonlyArray<Directive>, context: Context, depth = 0): ReadonlyArray<Directive> =>
  block.flatMap((one) => {
    context.left--
    if (one.name !== "include") return [one]
    if (depth > 5 || context.left < 0) return []
    return matching(one.args[0] ?? "", context.files).flatMap((file) => {
      context.left -= file.length
      return included(file, context, depth + 1)
    })
  })

const matching = (pattern: string, files: Context["files"]): ReadonlyArray<ReadonlyArray<Directive>> => {
  const exact = files.get(pattern) ?? files.get(`/etc/nginx/${pattern}`)
  if (exact !== undefined) return [exact]
  const star = pattern.indexOf("*")
  if (star < 0) return []
  const whole = pattern.startsWith("/") ? pattern : `/etc/nginx/${pattern}`
  const [before, after] = [whole.slice(0, whole.indexOf("*")), whole.slice(whole.indexOf("*") + 1)]
  return [...files].flatMap(([name, file]) => (name.startsWith(before) && name.endsWith(after) ? [file] : []))
}

const siteOf = (block: ReadonlyArray<Directive>, context: Context): Site => {
  const argsOf = (name: string) => block.filter((one) => one.name === name).map((one) => one.args)
  const listens = argsOf("listen").map(([address = "", ...rest]) => ({
    port: port(address.replace(/^.*:/, "")) ?? (address.startsWith("unix:") ? undefined : 80),
    tls: rest.includes("ssl") || rest.includes("quic"),
  }))
  const tls = listens.some((one) => one.tls) || argsOf("ssl").some(([on]) => on === "on")
  const certificate = argsOf("ssl_certificate")[0]?.[0]
  return {
    names: [
      ...new Set(
        argsOf("server_name")
          .flat()
          .flatMap((name) => domainOf(name) ?? []),
      ),
    ],
    ports: [...new Set(listens.length === 0 ? [80] : listens.flatMap((one) => one.port ?? []))],
    tls,
    ssl: tls ? certificateOf(certificate) : undefined,
    routes: routesOf(block, context),
  }
}

const routesOf = (block: ReadonlyArray<Directive>, context: Context): ReadonlyArray<SiteRoute> => {
  const locations = locationsOf(block, context)
  const named = new Map(locations.flatMap((one) => (one.args[0]?.startsWith("@") ? [[one.args[0], one] as const] : [])))
  const found = new Map<string, SiteRoute>()
  const add = (at: string, upstreams: ReadonlyArray<Upstream> | undefined) => {
    if (upstreams !== undefined && !found.has(at)) found.set(at, { path: at, upstreams })
  }
  for (const location of locations) {
    const at = locationPath(location.args)
    if (at !== undefined) add(at, answer(location.block ?? [], block, named, context))
  }
  // A regular expression (`\.php$`) and what stands outside of locations are for whatever is left: the whole site.
  const regex = locations.find((one) => /^~/.test(one.args[0] ?? "") && sentTo(one.block ?? [], block, context))
  add("/", (regex && sentTo(regex.block ?? [], block, context)) ?? answer(block, block, named, context))
  return [...found.values()].slice(0, 500)
}

const locationsOf = (block: ReadonlyArray<Directive>, context: Context, depth = 0): ReadonlyArray<Directive> =>
  block.flatMap((one) => {
    if (one.name !== "location" || one.block === undefined) return []
    const inner = included(one.block, context)
    return [{ ...one, block: inner }, ...(depth < 3 ? locationsOf(inner, context, depth + 1) : [])]
  })

/** The path of a prefix or exact location; `undefined` for a regular expression or a named one. */
const locationPath = (args: ReadonlyArray<string>): string | undefined => {
  const [first = "", second] = args
  if (first === "=" || first === "^~") return routePath(second)
  return first.startsWith("~") || first.startsWith("@") ? undefined : routePath(first)
}

/** Where a block sends requests: to upstreams, or to none where it serves files; `undefined` where it does neither. */
const answer = (
  block: ReadonlyArray<Directive>,
  site: ReadonlyArray<Directive>,
  named: ReadonlyMap<string, Directive>,
  context: Context,
): ReadonlyArray<Upstream> | undefined => {
  const direct = sentTo(block, site, context)
  if (direct !== undefined) return direct
  const fallback = block.filter((one) => one.name === "try_files").flatMap((one) => one.args)
  const handed = fallback.map((name) => named.get(name)).find((one) => one !== undefined)
  if (handed !== undefined) return sentTo(handed.block ?? [], site, context)
  const serves = block.some((one) => ["root", "alias", "try_files"].includes(one.name))
  return serves && !block.some((one) => one.name === "return") ? [] : undefined
}

const passes = new Set(["proxy_pass", "fastcgi_pass", "uwsgi_pass", "grpc_pass", "scgi_pass"])

const sentTo = (
  block: ReadonlyArray<Directive>,
  site: ReadonlyArray<Directive>,
  context: Context,
): ReadonlyArray<Upstream> | undefined => {
  const pass = block.find((one) => passes.has(one.name))?.args[0]
  if (pass === undefined) return undefined
  const known = (name: string) =>
    [...block, ...site].find((one) => one.name === "set" && one.args[0] === name)?.args[1] ?? ""
  const address = pass.slice(0, 2_000).replace(/\$\{?(\w+)\}?/g, (_, name) => known(`$${name}`).slice(0, 200))
  const host = address.replace(/^[a-z]+:\/\//i, "").replace(/[/?].*$/, "")
  return context.upstreams.get(host) ?? [upstreamOf(address, 80)].filter((one) => one !== undefined)
}
