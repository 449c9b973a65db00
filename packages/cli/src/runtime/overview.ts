/** Behind `withOverview`: no write side, unless the past has to be folded or the log fetched. */
import { Overview } from "@context-engine/core/services/Overview"
import { layer as readOnly } from "@context-engine/store/layerRead"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { isPast, type LogOptions, logIsThere, memory, pathOfLog, syncMode } from "./log.js"

export const open = <A>(
  options: LogOptions,
  use: (overview: Overview["Type"]) => Effect.Effect<A, unknown>,
): Effect.Effect<A, unknown> => {
  const asked = Effect.flatMap(Overview, use)
  if (isPast(options) || syncMode() === "remote") {
    return Effect.flatMap(
      Effect.promise(() => import("./run.js")),
      ({ run }) => run(options, Overview.layer, asked),
    )
  }
  const live = Layer.unwrapEffect(Effect.map(pathOfLog(options), (path) => readOnly(path, memory(options))))
  return Effect.zipRight(logIsThere(options.db), Effect.provide(asked, Overview.layer.pipe(Layer.provide(live))))
}
