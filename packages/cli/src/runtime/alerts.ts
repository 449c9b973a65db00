/** Behind `withAlerts`: the rows, and how this machine stands to the shared log. */
import { Alerts } from "@context-engine/core/services/Alerts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { LogOptions } from "./log.js"
import { runAlone } from "./store.js"
import { layer } from "./sync.js"

export const open = <A>(options: LogOptions, use: (alerts: Alerts["Type"]) => Effect.Effect<A, unknown>) =>
  runAlone(options, Alerts.layer.pipe(Layer.provide(layer)), Effect.flatMap(Alerts, use))
