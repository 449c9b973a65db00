/** How commands work on the log. */
import type { SyncFailure } from "@context-engine/core/services/Sync"
import { Database } from "@context-engine/store/Database"
import { readHead } from "@context-engine/store/standing"
import { readState } from "@context-engine/store/sync/state"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import { afterwards } from "../afterwards.js"
import { say } from "../terminal.js"
import { databasePath, isPast, isShared, type LogOptions, syncMode } from "./log.js"
import { runAlone, type Store } from "./store.js"

/** Runs with services over the log. What it wrote is then brought to the other machines, if there are any, however it ended. */
export const run = <A, E, S>(
  options: LogOptions,
  services: Layer.Layer<S, unknown, Store>,
  effect: Effect.Effect<A, E, S | Store>,
): Effect.Effect<A, unknown> => {
  if (syncMode() === "remote") {
    return Effect.flatMap(
      Effect.promise(() => import("./remote.js")),
      ({ runRemote }) => runRemote(options, services, effect),
    )
  }
  const shared = isShared(options.db)
  if (isPast(options) || !(shared || options.waitSync)) return runAlone(options, services, effect)
  const seen: Seen = { wrote: false, withheld: undefined }
  return Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.exit(restore(runAlone(options, services, noticing(seen, effect)))), (ended) => {
      if (!seen.wrote) return ended
      if (Exit.isInterrupted(ended)) return Effect.zipRight(Effect.ignore(behind(options)), ended)
      const sharing = Effect.zipRight(told(options.waitSync ? undefined : seen.withheld), share(options, shared))
      if (Exit.isSuccess(ended)) return Effect.zipRight(restore(sharing), ended)
      // How the command ended is the news; that what it did is with nobody else goes before it.
      const kept = Effect.zipRight(restore(sharing), afterwards)
      return Effect.zipRight(Effect.catchAll(kept, (error) => say((error as Error).message)), ended) // biome-ignore format: one step
    }),
  )
}

/** What became of the log meanwhile. */
interface Seen {
  /** Whether there is something new here that waits to be shared. */
  wrote: boolean
  /** Why that counts on this machine alone. */
  withheld: string | undefined
}

/** That what was done counts on this machine alone, and what to do about it. Not where it is waited for: then it is the answer. */
const told = (withheld: string | undefined) =>
  withheld === undefined
    ? Effect.void
    : Effect.flatMap(
        Effect.promise(() => import("../enrolling.js")),
        ({ explain }) => explain(`done here, and with nobody else: ${withheld}`),
      )

const noticing = <A, E, R>(seen: Seen, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const database = yield* Database
    const before = yield* database.read(readHead)
    const after = database.read((connection) => ({ head: readHead(connection), ...readState(connection) }))
    const look = Effect.map(after, ({ confirmed, error, head }) => {
      seen.wrote = head.position !== before.position && head.position > confirmed.position
      seen.withheld = error !== null && held.has(error.reason) ? error.message : undefined
    })
    return yield* Effect.ensuring(effect, Effect.ignore(look))
  })

/** Why nothing of this machine may be pushed, as the last exchange has found it. */
const held: ReadonlySet<SyncFailure> = new Set(["not-enrolled", "no-root", "new-root"])

/** Waits for it only if that is asked for: a command is done when its machine has it. */
const share = (options: LogOptions, shared: boolean): Effect.Effect<void, unknown> =>
  options.waitSync
    ? Effect.flatMap(
        Effect.promise(() => import("./sharing.js")),
        ({ waited }) => waited(options, shared),
      )
    : behind(options)

/** In a process of its own, which goes on when this one has ended. */
const behind = (options: LogOptions): Effect.Effect<void, unknown> =>
  Effect.flatMap(
    Effect.promise(() => import("./sharing.js")),
    ({ inBackground }) => Effect.flatMap(databasePath(options.db), (path) => inBackground(path)),
  )
