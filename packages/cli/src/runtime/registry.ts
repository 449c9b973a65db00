/** Behind `withRegistry`. */
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import type { LogOptions } from "./log.js"
import { run } from "./run.js"

export const open = <A>(options: LogOptions, use: (registry: Registry["Type"]) => Effect.Effect<A, unknown>) =>
  run(options, Registry.layer, Effect.flatMap(Registry, use))
