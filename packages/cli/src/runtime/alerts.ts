/** Behind `withAlerts`: the rows, whether the log takes what is written, and how this machine stands to the shared log. */
import { Alerts } from "@context-engine/core/services/Alerts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type LogOptions, logIsThere } from "./log.js"
import { run } from "./run.js"
import { syncLayer } from "./syncLayer.js"

export const open = <A>(options: LogOptions, use: (alerts: Alerts["Type"]) => Effect.Effect<A, unknown>) =>
  Effect.zipRight(
    logIsThere(options.db),
    run(options, Alerts.layer.pipe(Layer.provide(syncLayer(options))), Effect.flatMap(Alerts, use)),
  )
