/** From a server's row to the endpoint to dial, through its jump hosts. Pure. */
import * as Effect from "effect/Effect"
import { RemoteError } from "../Errors.js"
import type { SshEndpoint, Target } from "../Remote.js"
import type { ServerRow } from "../views/servers.js"

/** How a server is reached. `all` are the servers there are, among which its jump host may be. */
export const targetOf = (server: ServerRow, all: ReadonlyArray<ServerRow>): Effect.Effect<Target, RemoteError> => {
  if (server.local) return Effect.succeed({ _tag: "Local", name: server.name })
  return Effect.map(endpointOf(server, all, [server.name]), (endpoint) => ({
    _tag: "Ssh",
    name: server.name,
    endpoint,
    hostKeys: [...server.hostKeys, ...jumpsOf(server, all).flatMap((jump) => jump.hostKeys)],
  }))
}

/** The registered servers on the way to a server, nearest to it first. */
const jumpsOf = (server: ServerRow, all: ReadonlyArray<ServerRow>): ReadonlyArray<ServerRow> => {
  const way: Array<ServerRow> = []
  for (let next = jumpOf(server, all); next !== undefined && !way.includes(next); next = jumpOf(next, all))
    way.push(next)
  return way
}

const jumpOf = (server: ServerRow, all: ReadonlyArray<ServerRow>): ServerRow | undefined =>
  all.find((other) => other.name === server.sshConfig?.jumpHost)

const endpointOf = (
  server: ServerRow,
  all: ReadonlyArray<ServerRow>,
  way: ReadonlyArray<string>,
): Effect.Effect<SshEndpoint, RemoteError> => {
  const host = server.ipAddresses[0] ?? server.hostname
  if (host === undefined || host === null) {
    return refuse(server, `has no address: context infra server update ${server.name} --ip <address>`)
  }
  const ssh = server.sshConfig
  const endpoint = { host, port: ssh?.port ?? 22, user: ssh?.user ?? "root", keyPath: ssh?.keyPath ?? undefined }
  const jumpName = ssh?.jumpHost ?? undefined
  if (jumpName === undefined) return Effect.succeed(endpoint)
  if (way.includes(jumpName)) return refuse(server, `is behind itself: ${[...way, jumpName].join(" → ")}`)
  const registered = jumpOf(server, all)
  const jump =
    registered === undefined
      ? parseJump(server, jumpName, endpoint)
      : registered.local
        ? Effect.succeed(undefined)
        : endpointOf(registered, all, [...way, jumpName])
  return Effect.map(jump, (through) => (through === undefined ? endpoint : { ...endpoint, jump: through }))
}

/** `[user@]host[:port]`; the user and key are the server's own unless said. */
const parseJump = (server: ServerRow, text: string, own: SshEndpoint): Effect.Effect<SshEndpoint, RemoteError> => {
  const match = /^(?:([^@\s]+)@)?(\[[0-9a-fA-F:]+\]|[^:@\s]+)(?::(\d{1,5}))?$/.exec(text)
  if (match === null) return refuse(server, `has a jump host that cannot be read: ${JSON.stringify(text)}`)
  const host = (match[2] as string).replace(/^\[|\]$/g, "")
  return Effect.succeed({ host, port: Number(match[3] ?? 22), user: match[1] ?? own.user, keyPath: own.keyPath })
}

const refuse = (server: ServerRow, what: string) =>
  new RemoteError({ reason: "refused", host: server.name, message: `server ${server.name} ${what}` })
