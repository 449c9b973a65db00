/** The connections of one scope: one for each way to a host, opened on first use, reopened when lost. */
import { connect, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
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
    const pool: Pool = { settings, scope: yield* Effect.scope, slots: new Map(), alive: new Set() }
    yield* Effect.addFinalizer(() => closeAll(pool))
    return {
      get: (hop) => get(pool, hop),
      probe: (hop) => Effect.flatMap(open(pool, hop), (stream) => probe(hop, stream, settings)),
    }
  })

interface Pool {
  readonly settings: Settings
  readonly scope: Scope.Scope
  /** By the hop's id, from the moment that somebody begins to dial. */
  readonly slots: Map<string, Deferred.Deferred<Connection, RemoteError>>
  /** In the order in which they were made. */
  readonly alive: Set<Connection>
}

const get = (pool: Pool, hop: Hop): Effect.Effect<Connection, RemoteError> =>
  Effect.uninterruptibleMask((restore) => {
    const shared = pool.slots.get(hop.id)
    if (shared !== undefined) return restore(Deferred.await(shared))
    const slot = Deferred.unsafeMake<Connection, RemoteError>(FiberId.none)
    pool.slots.set(hop.id, slot)
    const forget = () => {
      if (pool.slots.get(hop.id) === slot) pool.slots.delete(hop.id)
    }
    // In a fiber of the scope, not of the caller: the others wait for it, even if this caller gives up.
    return Effect.interruptible(dial(pool, hop, forget)).pipe(
      Effect.onError(() => Effect.sync(forget)),
      Effect.intoDeferred(slot),
      Effect.forkIn(pool.scope),
      Effect.zipRight(restore(Deferred.await(slot))),
    )
  })

const dial = (pool: Pool, hop: Hop, forget: () => void): Effect.Effect<Connection, RemoteError> =>
  Effect.gen(function* () {
    const keys = yield* credentials(hop.endpoint, pool.settings)
    const stream = yield* open(pool, hop)
    let connection: Connection | undefined
    const onLost = () => {
      forget()
      if (connection !== undefined) pool.alive.delete(connection)
    }
    connection = yield* login(hop, stream, keys, pool.settings, onLost)
    if (!connection.isLost()) pool.alive.add(connection)
    return connection
  })

const open = (pool: Pool, hop: Hop): Effect.Effect<Duplex, RemoteError> => {
  const { via } = hop
  if (via === undefined) {
    return Effect.sync(() => socketTo(hop.endpoint.host, hop.endpoint.port))
  }
  return Effect.flatMap(get(pool, via), (jump) => through(jump, hop, pool.settings)).pipe(
    // A jump connection that died unnoticed; nothing has been sent to the hop yet.
    Effect.retry({ times: 1, while: (error) => error.reason === "connection-lost" }),
  )
}

/**
 * Node reads 64 KB of a socket at a time, into memory of its own each time. With more at once, into what is left of the same, a log
 * comes a seventh faster: what a reading costs is the way from the event loop to ssh2 and back.
 */
const socketTo = (host: string, port: number): Socket => {
  let room = Buffer.alloc(0)
  const onread = {
    buffer: () => {
      if (room.length < leastRead) room = Buffer.allocUnsafeSlow(2 * leastRead)
      return room
    },
    callback: (length: number) => {
      const data = room.subarray(0, length)
      room = room.subarray(length)
      return socket.emit("data", data)
    },
  }
  const socket: Socket = connect({ host, port, noDelay: true, onread })
  return socket
}

const leastRead = 256 * 1024

/** The latest first: they may go through earlier ones. */
const closeAll = (pool: Pool): Effect.Effect<void> =>
  Effect.suspend(() => Effect.forEach([...pool.alive].reverse(), (one) => one.close, { discard: true }))

const through = (jump: Connection, hop: Hop, settings: Settings): Effect.Effect<Duplex, RemoteError> =>
  forward(jump, hop.endpoint.host, hop.endpoint.port, settings.readyTimeout).pipe(
    Effect.mapError((error) => {
      if ("reason" in error || isTimeout(error)) return noWay(hop, jump.hop, error)
      jump.drop(error)
      return lost(jump.hop, error)
    }),
  )
