/** How commands work on the log. */
import { ReadModels } from "@context-engine/core/ReadModels"
import type { SyncFailure } from "@context-engine/core/services/Sync"
import { Database } from "@context-engine/store/Database"
import { readState } from "@context-engine/store/sync/state"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { databasePath, isPast, isShared, type LogOptions, syncMode } from "./log.js"
import { runAlone, type Store } from "./store.js"

/** Runs with services over the log. What it wrote is then brought to the other machines, if there are any. */
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
  return Effect.flatMap(runAlone(options, services, noticing(effect)), ({ value, withheld, wrote }) =>
    Effect.as(
      wrote ? Effect.zipRight(told(options.waitSync ? undefined : withheld), share(options, shared)) : Effect.void,
      value,
    ),
  )
}

/** That what was done counts on this machine alone, and what to do about it. Not where it is waited for: then it is the answer. */
const told = (withheld: string | undefined) =>
  withheld === undefined
    ? Effect.void
    : Effect.flatMap(
        Effect.promise(() => import("../enrolling.js")),
        ({ explain }) => explain(`done here, and with nobody else: ${withheld}`),
      )

const noticing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { asOf } = yield* ReadModels
    const before = yield* asOf
    const value = yield* effect
    const wrote = (yield* asOf).position !== before.position
    const error = wrote ? (yield* (yield* Database).read(readState)).error : null
    const withheld = error !== null && held.has(error.reason) ? error.message : undefined
    return { value, wrote, withheld }
  })

/** Why nothing of this machine may be pushed, as the last exchange has found it. */
const held: ReadonlySet<SyncFailure> = new Set(["not-enrolled", "no-root", "new-root"])

/** Waits for it only if that is asked for: a command is done when its machine has it. */
const share = (options: LogOptions, shared: boolean): Effect.Effect<void, unknown> =>
  Effect.flatMap(
    Effect.promise(() => import("./sharing.js")),
    ({ inBackground, waited }) =>
      options.waitSync
        ? waited(options, shared)
        : Effect.flatMap(databasePath(options.db), (path) => inBackground(path)),
  )
