/** The connections of one scope: one for each way to a host, opened on first use, reopened when lost. */
import { connect } from "node:net"
import type { Duplex } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import type { RemoteError } from "../../Errors.js"
import { credentials } from "./Credentials.js"
import { isTimeout, lost, noWay } from "./Failures.js"
import { forward } from "./Forward.js"
import { type Connection, login, probe } from "./Handshake.js"
import type { Hop } from "./Hop.js"
import type { Shown } from "./HostKeys.js"
import type { Settings } from "./Options.js"

export interface Connections {
  /** The shared connection to a hop, and to the hops before it. Whoever comes first dials, the others wait for it. */
  readonly get: (hop: Hop) => Effect.Effect<Connection, RemoteError>
  /** The key that a hop shows, by a connection of its own that is closed at once. Earlier hops are logged in to. */
  readonly probe: (hop: Hop) => Effect.Effect<Shown, RemoteError>
}

export const make = (settings: Settings): Effect.Effect<Connections, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const slots = new Map<string, Deferred.Deferred<Connection, RemoteError>>()
    const alive = new Set<Connection>()

    const get = (hop: Hop): Effect.Effect<Connection, RemoteError> =>
      Effect.uninterruptibleMask((restore) => {
        const shared = slots.get(hop.id)
        if (shared !== undefined) return restore(Deferred.await(shared))
        const slot = Deferred.unsafeMake<Connection, RemoteError>(FiberId.none)
        slots.set(hop.id, slot)
        const forget = () => {
          if (slots.get(hop.id) === slot) slots.delete(hop.id)
        }
        // In a fiber of the scope, not of the caller: the others wait for it, even if this caller gives up.
        return Effect.interruptible(dial(hop, forget)).pipe(
          Effect.onError(() => Effect.sync(forget)),
          Effect.intoDeferred(slot),
          Effect.forkIn(scope),
          Effect.zipRight(restore(Deferred.await(slot))),
        )
      })

    const dial = (hop: Hop, forget: () => void): Effect.Effect<Connection, RemoteError> =>
      Effect.gen(function* () {
        const keys = yield* credentials(hop.endpoint, settings)
        const stream = yield* open(hop)
        let connection: Connection | undefined
        const onLost = () => {
          forget()
          if (connection !== undefined) alive.delete(connection)
        }
        connection = yield* login(hop, stream, keys, settings, onLost)
        if (!connection.isLost()) alive.add(connection)
        return connection
      })

    const open = (hop: Hop): Effect.Effect<Duplex, RemoteError> =>
      hop.via === undefined
        ? Effect.sync(() => connect({ host: hop.endpoint.host, port: hop.endpoint.port, noDelay: true }))
        : Effect.flatMap(get(hop.via), (jump) => through(jump, hop, settings)).pipe(
            // A jump connection that died unnoticed; nothing has been sent to the hop yet.
            Effect.retry({ times: 1, while: (error) => error.reason === "connection-lost" }),
          )

    yield* Scope.addFinalizer(
      scope,
      // The latest first: they may go through earlier ones.
      Effect.suspend(() => Effect.forEach([...alive].reverse(), (connection) => connection.close, { discard: true })),
    )
    return { get, probe: (hop) => Effect.flatMap(open(hop), (stream) => probe(hop, stream, settings)) }
  })

const through = (jump: Connection, hop: Hop, settings: Settings): Effect.Effect<Duplex, RemoteError> =>
  forward(jump, hop.endpoint.host, hop.endpoint.port, settings.readyTimeout).pipe(
    Effect.mapError((error) => {
      if ("reason" in error || isTimeout(error)) return noWay(hop, jump.hop, error)
      jump.drop(error)
      return lost(jump.hop, error)
    }),
  )
