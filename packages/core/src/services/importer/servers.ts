/** From what ssh would do to servers, compared with those registered. Pure. */
import type { SshConfig } from "../../domain/Server.js"
import type { Json } from "../../Event.js"
import type { ServerRow } from "../../views/servers.js"
import { nameFrom } from "../scanner/words.js"
import type { Resolved } from "./sshConfig.js"

/** A server as ssh's configuration has it. */
export interface ServerCandidate {
  readonly name: string
  readonly hostname: string | null
  readonly ipAddresses: ReadonlyArray<string>
  readonly sshConfig: SshConfig
}

/** A host of the configuration, and what the registry says of it. */
export interface ImportFinding {
  /** As the configuration calls it. */
  readonly host: string
  /** Other names of the same thing there. */
  readonly aliases: ReadonlyArray<string>
  readonly change: "new" | "changed" | "same"
  /** The server's name: the registered one where it is registered. */
  readonly name: string
  readonly candidate: ServerCandidate
  readonly fields: ReadonlyArray<{ readonly field: string; readonly from: Json; readonly to: Json }>
}

export interface Skipped {
  readonly host: string
  readonly reason: string
}

/** What ssh does for any host, on this machine. */
export interface Defaults {
  readonly user: string
  readonly identityFiles: ReadonlySet<string>
}

/** `jumps` are the answers about hosts that others go through; they need not be of the configuration's own. */
export const compareServers = (
  resolved: ReadonlyArray<Resolved>,
  jumps: ReadonlyMap<string, Resolved>,
  defaults: Defaults,
  servers: ReadonlyArray<ServerRow>,
): { readonly findings: ReadonlyArray<ImportFinding>; readonly skipped: ReadonlyArray<Skipped> } => {
  const skipped: Array<Skipped> = []
  const groups = new Map<string, Array<Resolved>>()
  for (const one of resolved) {
    const reason = refuse(one)
    const key = JSON.stringify([one.hostname.toLowerCase(), one.port, one.user, one.jump])
    if (reason !== undefined) skipped.push({ host: one.host, reason })
    else groups.set(key, [...(groups.get(key) ?? []), one])
  }
  const names = new Map<string, string>()
  for (const [first, ...others] of groups.values()) {
    const name = first === undefined ? undefined : (registered(first, servers)?.name ?? nameFrom(first.host))
    for (const one of [first, ...others]) if (one !== undefined && name !== undefined) names.set(one.host, name)
  }
  const findings = [...groups.values()].flatMap(([first, ...others]): ReadonlyArray<ImportFinding> => {
    const name = names.get(first?.host ?? "")
    if (first === undefined || name === undefined) return []
    const jump = jumpOf(first, names, jumps, servers)
    const candidate = candidateOf(first, name, jump, defaults)
    const row = registered(first, servers)
    const fields = row === undefined ? added(candidate) : changes(candidate, row, defaults)
    const change = row === undefined ? "new" : fields.length > 0 ? "changed" : "same"
    return [{ host: first.host, aliases: others.map(({ host }) => host), change, name, candidate, fields }]
  })
  return { findings, skipped }
}

const refuse = ({ command, jump, user }: Resolved): string | undefined => {
  if (user === "git") return "its user is git: a place for repositories, not a server"
  if (jump?.includes(","))
    return "goes through several jump hosts: register each, with the one before it as its jump host"
  return command ? "is reached by a command of its own (ProxyCommand), which cannot be registered" : undefined
}

/** The row of that name, or else of that address and port. */
const registered = ({ host, hostname, port }: Resolved, servers: ReadonlyArray<ServerRow>): ServerRow | undefined =>
  servers.find((row) => row.name === nameFrom(host)) ??
  servers.find(
    (row) =>
      !row.local &&
      (row.sshConfig?.port ?? 22) === port &&
      (row.ipAddresses.includes(hostname) || row.hostname?.toLowerCase() === hostname.toLowerCase()),
  )

/** The name of a server, or `user@host:port` for a host that is to be none. */
const jumpOf = (
  { jump, user }: Resolved,
  names: ReadonlyMap<string, string>,
  jumps: ReadonlyMap<string, Resolved>,
  servers: ReadonlyArray<ServerRow>,
): string | null => {
  if (jump === null) return null
  const { host, port, user: own } = splitJump(jump)
  const known = names.get(host) ?? servers.find((row) => row.name === host)?.name
  // With a user or port of its own it is another way to that server.
  if (known !== undefined && own === undefined && port === undefined) return known
  const about = jumps.get(host)
  const address = about?.hostname ?? host
  const login = own ?? about?.user ?? user
  return `${login === null ? "" : `${login}@`}${address.includes(":") ? `[${address}]` : address}:${port ?? about?.port ?? 22}`
}

/** `[ssh://][user@]host[:port]` */
export const splitJump = (
  text: string,
): { readonly host: string; readonly user?: string | undefined; readonly port?: number | undefined } => {
  const found = /^(?:ssh:\/\/)?(?:([^@\s]+)@)?(\[[0-9a-f:.]+\]|[^:@\s/]+)(?::(\d{1,5}))?\/?$/i.exec(text)
  if (found === null) return { host: text }
  const host = (found[2] as string).replace(/^\[|\]$/g, "")
  return { host, user: found[1], port: found[3] === undefined ? undefined : Number(found[3]) }
}

const isAddress = (text: string): boolean =>
  /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) || /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text)

const candidateOf = (one: Resolved, name: string, jumpHost: string | null, defaults: Defaults): ServerCandidate => {
  const { hostname, identityFiles, port, user } = one
  const key = identityFiles.find((path) => path !== "none" && !defaults.identityFiles.has(path))
  const keyPath = key === undefined ? null : expand(key, one)
  return {
    name,
    hostname: isAddress(hostname) ? null : hostname,
    ipAddresses: isAddress(hostname) ? [hostname] : [],
    sshConfig: { user, port, keyPath, jumpHost },
  }
}

/** The tokens that a path of a key may hold (ssh_config(5), TOKENS); `null` where one is not known. */
const expand = (path: string, { host, hostname, port, user }: Resolved): string | null => {
  const tokens: Readonly<Record<string, string>> = {
    "%": "%",
    d: "~",
    h: hostname,
    n: host,
    p: String(port),
    r: user ?? "",
  }
  const full = path.replaceAll(/%(.)/g, (_, token: string) => tokens[token] ?? "\0")
  return full.includes("\0") ? null : full
}

const added = ({ hostname, ipAddresses, sshConfig }: ServerCandidate): ImportFinding["fields"] =>
  Object.entries({ hostname, ip: ipAddresses[0] ?? null, ...sshConfig })
    .filter(([, to]) => to !== null)
    .map(([field, to]) => ({ field, from: null, to }))

/** What ssh's configuration says otherwise. What it does not say is no reason to change anything. */
const changes = (candidate: ServerCandidate, row: ServerRow, { user }: Defaults): ImportFinding["fields"] => {
  const { hostname, ipAddresses, sshConfig } = candidate
  const own = row.sshConfig
  const [address] = ipAddresses
  const fields = [
    // Addresses go before the name when a server is dialled: with one, the name says nothing new.
    hostname !== null && row.ipAddresses.length === 0 && row.hostname !== hostname
      ? { field: "hostname", from: row.hostname, to: hostname }
      : undefined,
    address !== undefined && !row.ipAddresses.includes(address)
      ? { field: "ip", from: row.ipAddresses[0] ?? null, to: address }
      : undefined,
    sshConfig.user !== (own?.user ?? user) ? { field: "user", from: own?.user ?? null, to: sshConfig.user } : undefined,
    sshConfig.port !== (own?.port ?? 22) ? { field: "port", from: own?.port ?? null, to: sshConfig.port } : undefined,
    sshConfig.keyPath !== null && sshConfig.keyPath !== (own?.keyPath ?? null)
      ? { field: "keyPath", from: own?.keyPath ?? null, to: sshConfig.keyPath }
      : undefined,
    sshConfig.jumpHost !== (own?.jumpHost ?? null)
      ? { field: "jumpHost", from: own?.jumpHost ?? null, to: sshConfig.jumpHost }
      : undefined,
  ]
  return fields.filter((one) => one !== undefined)
}
