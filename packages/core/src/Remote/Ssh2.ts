/** Remote by SSH: verified host keys, keys and agent, jump hosts, one shared connection a host. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { RemoteError } from "../Errors.js"
import {
  type HostKey,
  Remote,
  type RemoteCommand,
  type RemoteRequest,
  type RemoteResponse,
  type Target,
} from "../Remote.js"
import * as CommandLine from "./CommandLine.js"
import { httpGet, nothingListens, within } from "./HttpGet.js"
import * as Connections from "./Ssh2/Connections.js"
import { isProhibited, isTimeout, lost } from "./Ssh2/Failures.js"
import { forward } from "./Ssh2/Forward.js"
import type { Connection } from "./Ssh2/Handshake.js"
import { type Hop, hopTo, way } from "./Ssh2/Hop.js"
import { rejection } from "./Ssh2/HostKeys.js"
import { type Ssh2Options, withDefaults } from "./Ssh2/Options.js"
import * as Session from "./Ssh2/Session.js"
import { clean } from "./Text.js"

export type { Ssh2Options } from "./Ssh2/Options.js"

/** Remote for `Ssh` targets. The connections live as long as the scope. */
export const make = (options: Ssh2Options = {}): Effect.Effect<Remote["Type"], never, Scope.Scope> =>
  Effect.map(Connections.make(withDefaults(options)), (connections) => ({
    run: Effect.fn("Remote.run")(function* (target: Target, command: RemoteCommand) {
      const hop = yield* hopOf(target)
      yield* CommandLine.check(target.name, command)
      return yield* using(connections, hop, (connection) => Session.run(connection, target.name, command)).pipe(
        Effect.mapError(inNameOf(target)),
      )
    }),
    get: Effect.fn("Remote.get")(function* (target: Target, request: RemoteRequest) {
      const hop = yield* hopOf(target)
      return yield* using(connections, hop, (connection) => exchange(connection, target.name, request)).pipe(
        Effect.mapError(inNameOf(target)),
      )
    }),
    unknownHostKey: Effect.fn("Remote.unknownHostKey")(function* (target: Target) {
      const hop = yield* hopOf(target)
      return yield* firstUnknown(connections, hop).pipe(Effect.mapError(inNameOf(target)))
    }),
  }))

/** Provides Remote for `Ssh` targets only; a `Local` target is `refused`. */
export const layerWith = (options: Ssh2Options): Layer.Layer<Remote> => Layer.scoped(Remote, make(options))

/** `layerWith` the defaults. */
export const layer: Layer.Layer<Remote> = layerWith({})

const hopOf = (target: Target): Effect.Effect<Hop, RemoteError> =>
  target._tag === "Ssh"
    ? Effect.succeed(hopTo(target))
    : Effect.fail(
        new RemoteError({
          reason: "refused",
          host: target.name,
          message: `${target.name} is this machine, and only hosts reached by SSH can be used here`,
        }),
      )

/** Gives a connection to `use`, and a new one if the first proves dead before anything was begun on it. */
const using = <A>(
  connections: Connections.Connections,
  hop: Hop,
  use: (connection: Connection) => Effect.Effect<A, RemoteError | Session.NotBegun>,
): Effect.Effect<A, RemoteError> => {
  const once = Effect.flatMap(connections.get(hop), use)
  return once.pipe(
    Effect.catchTag("NotBegun", () => once),
    Effect.catchTag("NotBegun", ({ error }) => Effect.fail(error)),
  )
}

const exchange = (
  connection: Connection,
  host: string,
  request: RemoteRequest,
): Effect.Effect<RemoteResponse, RemoteError | Session.NotBegun> =>
  forward(connection, "127.0.0.1", request.port, request.timeout).pipe(
    Effect.catchAll((error) =>
      // The service's own timeout is reported by `within`.
      isTimeout(error) ? Effect.never : Effect.fail(notForwarded(connection, host, request.port, error)),
    ),
    Effect.flatMap((stream) => httpGet(host, request, stream)),
    Effect.mapError((error) =>
      error._tag === "RemoteError" && connection.isLost() ? lost(connection.hop, error) : error,
    ),
    within(host, request),
  )

const notForwarded = (connection: Connection, host: string, port: number, error: Error) => {
  if (isProhibited(error)) {
    return new RemoteError({
      reason: "refused",
      host,
      message: `${host} does not forward connections (AllowTcpForwarding in its sshd_config), so port ${port} cannot be asked from here`,
      cause: error,
    })
  }
  if (!("reason" in error)) return Session.notBegun(connection, error)
  return /refused/i.test(error.message)
    ? nothingListens(host, port, error)
    : new RemoteError({
        reason: "refused",
        host,
        message: `${host}: no connection to port ${port}: ${clean(error.message)} (is the service running, and is the port right?)`,
        cause: error,
      })
}

const firstUnknown = (
  connections: Connections.Connections,
  last: Hop,
): Effect.Effect<HostKey | undefined, RemoteError> =>
  Effect.gen(function* () {
    for (const hop of way(last)) {
      // A pinned hop before the last is verified when the next one is dialled through it.
      if (hop !== last && hop.pins.length > 0) continue
      const shown = yield* connections.probe(hop)
      if (shown.verdict === "unknown") return shown.key
      if (shown.verdict === "changed") return yield* rejection(hop, shown)
    }
    return undefined
  })

/** Connections are shared by address; what people read begins with the name that they know. */
const inNameOf =
  (target: Target) =>
  (error: RemoteError): RemoteError =>
    error.host === target.name
      ? error
      : new RemoteError({
          reason: error.reason,
          host: target.name,
          message: `${target.name}: ${error.message}`,
          cause: error.cause,
        })
