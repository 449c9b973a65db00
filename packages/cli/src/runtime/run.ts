/** How commands work on the log. */
import { ReadModels } from "@context-engine/core/ReadModels"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { databasePath, isShared, type LogOptions, syncMode } from "./log.js"
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
  if (options.at !== undefined || !(shared || options.waitSync)) return runAlone(options, services, effect)
  return Effect.flatMap(runAlone(options, services, noticing(effect)), ({ value, wrote }) =>
    Effect.as(wrote ? share(options, shared) : Effect.void, value),
  )
}

const noticing = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { asOf } = yield* ReadModels
    const before = yield* asOf
    const value = yield* effect
    return { value, wrote: (yield* asOf).position !== before.position }
  })

/** Waits for it only if that is asked for: a command is done when its machine has it. */
const share = (options: LogOptions, shared: boolean): Effect.Effect<void, unknown> =>
  Effect.flatMap(
    Effect.promise(() => import("./sharing.js")),
    ({ inBackground, waited }) =>
      options.waitSync
        ? waited(options, shared)
        : Effect.flatMap(databasePath(options.db), (path) => inBackground(path)),
  )
