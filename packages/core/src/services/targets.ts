/** From a server's row to the endpoint to dial, through its jump hosts, and to the host keys to expect on the way. Pure. */
import * as Either from "effect/Either"
import { RemoteError } from "../Errors.js"
import { type Identity, isHere, localTo } from "../Here.js"
import type { HostKey, SshEndpoint, Target } from "../Remote.js"
import type { ServerRow } from "../views/servers.js"

/** The servers there are, among which a jump host may be, as seen from one machine. */
export interface Seen {
  readonly all: ReadonlyArray<ServerRow>
  readonly here: Identity
  /** What the log calls machines, by the ids of their keys. */
  readonly names?: ReadonlyMap<string, string> | undefined
}

/** How a server is reached. One that is local to another machine is, from here, a host like any other: by SSH, if it has an address. */
export const targetOf = (server: ServerRow, seen: Seen): Either.Either<Target, RemoteError> => {
  if (isHere(server, seen.here)) return Either.right({ _tag: "Local", name: server.name })
  const others = seen.all.filter((other) => other !== server)
  return Either.map(endpointOf(server, seen), (endpoint) => ({
    _tag: "Ssh",
    name: server.name,
    endpoint,
    hostKeys: [...server.hostKeys, ...others.flatMap((other) => shared(other, endpoint, seen))],
  }))
}

/** The registered server that is dialled at an address of a target's way; `undefined` if none is. */
export const ownerOf = (target: Target, address: string, seen: Seen): ServerRow | undefined => {
  if (target._tag === "Local") return undefined
  const asked = placesOf(target.endpoint).find((place) => place.address === address)
  const dialled = (server: ServerRow) => !isHere(server, seen.here) && placesOfServer(server, seen).at(-1)?.way
  return asked && seen.all.find((server) => dialled(server) === asked.way)
}

/** The keys pinned for another server that answer here, too: those of the hosts that both are reached by. */
const shared = (other: ServerRow, endpoint: SshEndpoint, seen: Seen): ReadonlyArray<HostKey> => {
  const here = placesOf(endpoint)
  const candidates = other.hostKeys.filter((key) => here.some((place) => place.address === key.address))
  if (candidates.length === 0) return []
  const ways = new Set(here.map((place) => place.way))
  const common = placesOfServer(other, seen).filter((place) => ways.has(place.way))
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

const placesOfServer = (server: ServerRow, seen: Seen): ReadonlyArray<Place> =>
  placesOf(Either.getOrUndefined(endpointOf(server, seen)))

const endpointOf = (
  server: ServerRow,
  seen: Seen,
  way: ReadonlyArray<string> = [server.name],
): Either.Either<SshEndpoint, RemoteError> => {
  const host = addressOf(server)
  if (host === undefined) {
    if (server.local) return elsewhere(server, seen)
    return refuse(server, `has no address: context infra server update ${server.name} --ip <address>`)
  }
  const ssh = server.sshConfig
  const endpoint = { host, port: ssh?.port ?? 22, user: ssh?.user ?? undefined, keyPath: ssh?.keyPath ?? undefined }
  const jumpName = ssh?.jumpHost ?? undefined
  if (jumpName === undefined) return Either.right(endpoint)
  if (way.includes(jumpName)) return refuse(server, `is behind itself: ${[...way, jumpName].join(" → ")}`)
  const registered = seen.all.find((other) => other.name === jumpName)
  if (registered !== undefined && isHere(registered, seen.here)) return Either.right(endpoint)
  const jump =
    registered === undefined
      ? parseJump(server, jumpName, endpoint)
      : endpointOf(registered, seen, [...way, registered.name])
  return Either.map(jump, (through) => ({ ...endpoint, jump: through }))
}

/** Where it is dialled. What a machine calls itself by its loopback is another machine everywhere else. */
const addressOf = (server: ServerRow): string | undefined => {
  const places = [...server.ipAddresses, server.hostname].filter((place) => place !== null)
  return places.find((place) => !server.local || !/^(127\.|::1$|localhost$)/i.test(place))
}

/** A server that is this machine to another one, and nothing is known of how else to reach it. */
const elsewhere = (server: ServerRow, { here, names }: Seen) =>
  Either.left(
    new RemoteError({
      reason: "elsewhere",
      host: server.name,
      message:
        `server ${server.name} is local to ${localTo(server, here, names)}; it is reached from there only: ` +
        `give it an address with context infra server update ${server.name} --ip <address>` +
        `, or, if this machine is meant, say so here: context infra server update ${server.name} --local yes`,
    }),
  )

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
