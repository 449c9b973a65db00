/** Behind `sync connect`: the address is kept once it answers and is meant, and what was kept before comes back if that fails. */
import { type Contact, Sync, type SyncOptions } from "@context-engine/core/services/Sync"
import type { Endpoint } from "@context-engine/store/sync/endpoint"
import { remoteLog } from "@context-engine/store/sync/http"
import * as Effect from "effect/Effect"
import { forget, kept, save } from "./endpoint.js"
import { type LogOptions, syncMode } from "./log.js"
import { runAlone } from "./store.js"
import { open } from "./sync.js"
import { syncLayer } from "./syncLayer.js"

export interface Connecting extends SyncOptions {
  /** Asked before two histories become one, or a log is given back: fails where that is not wanted. */
  readonly decide: (met: Contact) => Effect.Effect<void, unknown>
}

export const connect = (options: LogOptions, endpoint: Endpoint, { decide, ...how }: Connecting) =>
  Effect.gen(function* () {
    if (syncMode() === "remote") {
      yield* remoteLog(endpoint).survey([])
      yield* save(options.db, endpoint)
      return yield* open(options, (sync) => sync.now(how))
    }
    const asked = Effect.gen(function* () {
      const sync = yield* Sync
      const met = yield* sync.contact
      yield* decide(met)
      return yield* keeping(options.db, endpoint, sync, wayOf(sync, met)(how))
    })
    return yield* runAlone(options, syncLayer(options, Effect.succeed(endpoint)), asked)
  })

const wayOf = (sync: Sync["Type"], { state }: Contact) => {
  if (state === "to-merge" || state === "foreign") return sync.join
  return state === "reset" || state === "rolled-back" ? sync.heal : sync.now
}

/** Keeps the address before the first exchange, so that one which breaks off goes on later: but only if it has bound the log. */
const keeping = <A>(
  db: string | undefined,
  endpoint: Endpoint,
  sync: Sync["Type"],
  way: Effect.Effect<A, unknown>,
): Effect.Effect<A, unknown> =>
  Effect.gen(function* () {
    const before = yield* kept(db)
    const { logId } = yield* sync.status
    yield* save(db, endpoint)
    const putBack = Effect.suspend(() => (before === undefined ? forget(db) : save(db, before)))
    const unlessBound = Effect.flatMap(sync.status, (now) => (now.logId === logId ? putBack : Effect.void))
    return yield* Effect.onError(way, () => Effect.ignore(unlessBound))
  })
