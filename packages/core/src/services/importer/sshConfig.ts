/** Reads what an import needs of ssh's configuration: which hosts it names, what it includes, what `ssh -G` says. Pure. */
import { word } from "../scanner/words.js"

/** What a file names and includes. Whether an include holds only for some hosts does not matter: ssh is asked. */
export interface ConfigFile {
  readonly hosts: ReadonlyArray<string>
  readonly includes: ReadonlyArray<string>
}

export const readConfig = (text: string): ConfigFile => {
  const hosts: Array<string> = []
  const includes: Array<string> = []
  for (const line of text.split("\n").slice(0, 20_000)) {
    const found = /^\s*(host|include)(?:\s*=\s*|\s+)(.*)$/i.exec(line.slice(0, 5_000))
    if (found === null) continue
    const args = argumentsOf(found[2] as string)
    if ((found[1] as string).toLowerCase() === "include") includes.push(...args)
    else hosts.push(...args.filter((name) => !/^!|[*?]/.test(name)))
  }
  return { hosts, includes }
}

/** Words as ssh splits them: quotes hold words together, and `#` begins a comment. */
const argumentsOf = (text: string): ReadonlyArray<string> => {
  const words: Array<string> = []
  for (const [, quoted, bare] of text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    if (bare?.startsWith("#")) break
    words.push((quoted ?? bare ?? "").replaceAll(/\\(["\\])/g, "$1"))
  }
  return words.filter((one) => one !== "")
}

/** Why a name from a config file is not given to ssh; `undefined` if it is. No name of a host looks like these. */
export const refuseHost = (name: string): string | undefined => {
  if (name.startsWith("-")) return "begins with a dash, as an option would"
  if (name.length > 253) return "is longer than any name of a host"
  return /^[A-Za-z0-9_][A-Za-z0-9._:-]*$/.test(name) ? undefined : "holds characters that no name of a host has"
}

/** What ssh would do for a host. */
export interface Resolved {
  readonly host: string
  readonly hostname: string
  readonly user: string | null
  readonly port: number
  /** All that it would try, its own defaults included. */
  readonly identityFiles: ReadonlyArray<string>
  /** As `ProxyJump` has it; `null` for none. */
  readonly jump: string | null
  readonly command: boolean
}

/** Reads `ssh -G` of one host; a complaint of ssh's as text. */
export const readAnswer = (host: string, text: string): Resolved | string => {
  const values = new Map<string, Array<string>>()
  for (const line of text.split("\n")) {
    const space = line.indexOf(" ")
    const key = line.slice(0, space)
    if (space > 0) values.set(key, [...(values.get(key) ?? []), line.slice(space + 1).trim()])
  }
  const first = (key: string) => word(values.get(key)?.[0])
  const hostname = first("hostname")
  const port = Number(first("port"))
  if (hostname === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
    return (
      word(text.split("\n").find((line) => /line \d+|bad|error|invalid|unsupported/i.test(line))) ??
      "ssh says nothing about it"
    )
  }
  const jump = first("proxyjump")
  const command = first("proxycommand")
  return {
    host,
    hostname,
    user: first("user") ?? null,
    port,
    identityFiles: (values.get("identityfile") ?? []).flatMap((path) => word(path) ?? []).slice(0, 20),
    jump: jump === undefined || jump === "none" ? null : jump,
    command: command !== undefined && command !== "none",
  }
}

/** The parts of an output that begin with `<mark> <kind> <name>`, by name, in order. */
export const partsOf = (output: string, mark: string, kind: string): ReadonlyMap<string, string> => {
  const parts = new Map<string, string>()
  for (const part of output.split(`\n${mark} `).slice(1)) {
    if (!part.startsWith(`${kind} `)) continue
    const end = part.indexOf("\n")
    const name = part.slice(kind.length + 1, end < 0 ? undefined : end)
    if (!parts.has(name)) parts.set(name, end < 0 ? "" : part.slice(end + 1))
  }
  return parts
}
