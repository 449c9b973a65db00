/** The log in its file: behind every door but the overview's. */
import { Attendant } from "@context-engine/core/Attendant"
import { Here } from "@context-engine/core/Here"
import { Origin } from "@context-engine/core/Origin"
import { attendant } from "@context-engine/core/Remote/Process"
import { layer } from "@context-engine/store/layer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { asOf } from "./asOf.js"
import { machineKey } from "./key.js"
import { here, isPast, type LogOptions, logIsThere, memory, named, origin, pathOfLog } from "./log.js"

/** The log, the commands on it and its read models. */
export type Store = Layer.Layer.Success<ReturnType<typeof layer>>

/** What may show the past only reads: it makes no log where a wrong name was given. */
const pathFor = (options: LogOptions) =>
  "at" in options ? Effect.zipRight(logIsThere(options.db), pathOfLog(options)) : pathOfLog(options)

/** Live, or as of the moment that is asked for. */
const store = (options: LogOptions): Layer.Layer<Store, unknown> => {
  const live = Layer.unwrapEffect(
    Effect.map(pathFor(options), (path) =>
      layer(path, { ...machineKey(), ...memory(options), ...named(options, path) }),
    ),
  )
  return !isPast(options) ? live : asOf(options).pipe(Layer.provideMerge(live))
}

/** Runs with services over the log, on behalf of whoever gave the command. */
export const runAlone = <A, E, S>(
  options: LogOptions,
  services: Layer.Layer<S, unknown, Store>,
  effect: Effect.Effect<A, E, S | Store>,
): Effect.Effect<A, unknown> =>
  effect.pipe(
    Effect.provide(services.pipe(Layer.provideMerge(store(options)))),
    Effect.provideService(Origin, origin()),
    Effect.provideService(Here, here()),
    Effect.provideService(Attendant, attendant),
  )
