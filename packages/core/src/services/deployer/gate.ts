/** The health gate: a service counts as well once it has answered well twice in a row. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { StorageError } from "../../Errors.js"
import type { Health, HealthReport } from "../Health.js"
import type { Placed } from "../names.js"

const inARow = 2

/** The report that let it through, or, after `timeout` milliseconds, the last one that did not. */
export const awaitHealth = (
  health: Health["Type"],
  placed: Placed,
  timeout: number,
): Effect.Effect<HealthReport, StorageError> =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + timeout
    let held = 0
    while (true) {
      const report = yield* health.probe(placed)
      held = report.status === "healthy" ? held + 1 : 0
      if (held >= inARow) return report
      if ((yield* Clock.currentTimeMillis) >= until) {
        return report.status === "healthy"
          ? { ...report, status: "degraded", detail: `it answered well only at the very end of ${timeout} ms` }
          : report
      }
      yield* Effect.sleep("400 millis")
    }
  })
