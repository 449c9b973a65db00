/** Behind `withAlerts`: the rows, how this machine stands to the shared log, and whether its file takes what is written. */
import { type Alert, Alerts } from "@context-engine/core/services/Alerts"
import { refusal, toldOf } from "@context-engine/store/doctor/writable"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { databasePath, isNamed, type LogOptions, logIsThere, syncMode } from "./log.js"
import { run } from "./run.js"
import { syncLayer } from "./syncLayer.js"

export const open = <A>(options: LogOptions, use: (alerts: Alerts["Type"]) => Effect.Effect<A, unknown>) =>
  Effect.gen(function* () {
    yield* logIsThere(options.db)
    const first = yield* unwritable(options)
    const withIt = ({ list }: Alerts["Type"]) => use({ list: Effect.map(list, (alerts) => [...first, ...alerts]) })
    return yield* run(options, Alerts.layer.pipe(Layer.provide(syncLayer(options))), Effect.flatMap(Alerts, withIt))
  })

/** That no command can write to the log. A copy that is only looked at is there for that. */
const unwritable = ({ db }: LogOptions) =>
  Effect.gen(function* () {
    if (syncMode() === "remote") return []
    const obstacle = yield* refusal(yield* databasePath(db), { isNamed: isNamed(db) })
    if (obstacle === undefined) return []
    const about = { kind: "log", severity: "critical", subject: "the log", since: null } as const
    return [{ ...about, message: toldOf(obstacle), next: obstacle.fix } satisfies Alert]
  })
