/** Behind `withSync`: this machine's log beside the one that all machines share. What is written is shared like any command's. */
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { type LogOptions, logIsThere } from "./log.js"
import { run } from "./run.js"
import { syncLayer } from "./syncLayer.js"

export const open = <A>(options: LogOptions, use: (sync: Sync["Type"]) => Effect.Effect<A, unknown>) =>
  Effect.zipRight(logIsThere(options.db), run(options, syncLayer(options), Effect.flatMap(Sync, use)))
