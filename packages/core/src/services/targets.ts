/** From a server's row to the endpoint to dial, through its jump hosts, and to the host keys to expect on the way. Pure. */
import * as Either from "effect/Either"
import { RemoteError } from "../Errors.js"
import type { HostKey, SshEndpoint, Target } from "../Remote.js"
import type { ServerRow } from "../views/servers.js"

/** How a server is reached. `all` are the servers there are, among which its jump host may be. */
export const targetOf = (server: ServerRow, all: ReadonlyArray<ServerRow>): Either.Either<Target, RemoteError> => {
  if (server.local) return Either.right({ _tag: "Local", name: server.name })
  return Either.map(endpointOf(server, all), (endpoint) => ({
    _tag: "Ssh",
    name: server.name,
    endpoint,
    hostKeys: [...server.hostKeys, ...all.flatMap((other) => (other === server ? [] : shared(other, endpoint, all)))],
  }))
}

/** The registered server that is dialled at an address of a target's way; `undefined` if none is. */
export const ownerOf = (target: Target, address: string, all: ReadonlyArray<ServerRow>): ServerRow | undefined => {
  if (target._tag === "Local") return undefined
  const asked = placesOf(target.endpoint).find((place) => place.address === address)
  return asked && all.find((server) => !server.local && placesOfServer(server, all).at(-1)?.way === asked.way)
}

/** The keys pinned for another server that answer here, too: those of the hosts that both are reached by. */
const shared = (other: ServerRow, endpoint: SshEndpoint, all: ReadonlyArray<ServerRow>): ReadonlyArray<HostKey> => {
  const here = placesOf(endpoint)
  const candidates = other.hostKeys.filter((key) => here.some((place) => place.address === key.address))
  if (candidates.length === 0) return []
  const ways = new Set(here.map((place) => place.way))
  const common = placesOfServer(other, all).filter((place) => ways.has(place.way))
  return candidates.filter((key) => common.some((place) => place.address === key.address))
}

/** A host on the way to another: where it is dialled, and through what. 10.0.0.5 is another one behind another jump host. */
interface Place {
  readonly address: string
  readonly way: string
}

/** In the order in which they are dialled. */
const placesOf = (endpoint: SshEndpoint | undefined): ReadonlyArray<Place> => {
  if (endpoint === undefined) return []
  const before = placesOf(endpoint.jump)
  const address = `${endpoint.host}:${endpoint.port}`
  return [...before, { address, way: `${before.at(-1)?.way ?? ""} → ${address}` }]
}

const placesOfServer = (server: ServerRow, all: ReadonlyArray<ServerRow>): ReadonlyArray<Place> =>
  placesOf(Either.getOrUndefined(endpointOf(server, all)))

const endpointOf = (
  server: ServerRow,
  all: ReadonlyArray<ServerRow>,
  way: ReadonlyArray<string> = [server.name],
): Either.Either<SshEndpoint, RemoteError> => {
  const host = server.ipAddresses[0] ?? server.hostname
  if (host === undefined || host === null) {
    return refuse(server, `has no address: context infra server update ${server.name} --ip <address>`)
  }
  const ssh = server.sshConfig
  const endpoint = { host, port: ssh?.port ?? 22, user: ssh?.user ?? undefined, keyPath: ssh?.keyPath ?? undefined }
  const jumpName = ssh?.jumpHost ?? undefined
  if (jumpName === undefined) return Either.right(endpoint)
  if (way.includes(jumpName)) return refuse(server, `is behind itself: ${[...way, jumpName].join(" → ")}`)
  const registered = all.find((other) => other.name === jumpName)
  if (registered?.local) return Either.right(endpoint)
  const jump =
    registered === undefined
      ? parseJump(server, jumpName, endpoint)
      : endpointOf(registered, all, [...way, registered.name])
  return Either.map(jump, (through) => ({ ...endpoint, jump: through }))
}

/** `[user@]host[:port]`; the user and key are the server's own unless said. */
const parseJump = (server: ServerRow, text: string, own: SshEndpoint): Either.Either<SshEndpoint, RemoteError> => {
  const match = /^(?:([^@\s]+)@)?(\[[0-9a-fA-F:]+\]|[^:@\s]+)(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[3] ?? 22)
  if (match === null || port < 1 || port > 65_535) {
    const expected = "name a registered server, or say [user@]host[:port]"
    return refuse(server, `has a jump host that cannot be read: ${JSON.stringify(text)} (${expected})`)
  }
  const host = (match[2] as string).replace(/^\[|\]$/g, "")
  return Either.right({ host, port, user: match[1] ?? own.user, keyPath: own.keyPath })
}

const refuse = (server: ServerRow, what: string) =>
  Either.left(new RemoteError({ reason: "refused", host: server.name, message: `server ${server.name} ${what}` }))
