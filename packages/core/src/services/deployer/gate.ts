/** The health gate: a service passes when it was found well several times in a row. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { StorageError } from "../../Errors.js"
import type { ServiceRow } from "../../views/services.js"
import type { Health, HealthReport } from "../Health.js"
import type { Hosts } from "../Hosts.js"
import type { Placed } from "../names.js"
import type { Gate } from "./run.js"

/** Whether there is anything to ask. */
export const hasCheck = ({ healthEndpoint, port }: ServiceRow): boolean =>
  healthEndpoint !== null && (!healthEndpoint.startsWith("/") || port !== null)

/** Asks whether a service is well, as far as that can be told from here. */
export const probe = (health: Health["Type"], hosts: Hosts["Type"], placed: Placed) =>
  Effect.gen(function* () {
    const report = yield* health.probe(placed)
    const elsewhere = placed.service.healthEndpoint?.startsWith("/") === false
    if (report.status !== "unhealthy" || report.latency !== null || !elsewhere) return report
    // A URL is asked from here. Where the server cannot be reached either, it is our link that is down.
    return yield* hosts.run(placed.server, { script: ":", timeout: 10_000 }).pipe(
      Effect.as(report),
      Effect.catchTag("RemoteError", () => Effect.succeed({ ...report, status: "unknown" as const })),
    )
  })

/**
 * The report that let it through, or, when its time is over, the last one that did not. Time in which the host could not be
 * reached does not count: that says nothing about the service. After `patience` of it the report is `unknown`.
 */
export const awaitHealth = (
  ask: Effect.Effect<HealthReport, StorageError>,
  { count, timeout }: Gate,
  patience = 30 * 60_000,
): Effect.Effect<HealthReport, StorageError> =>
  Effect.gen(function* () {
    let left = timeout
    let away = 0
    let held = 0
    let last = yield* Clock.currentTimeMillis
    while (true) {
      const report = yield* ask
      const now = yield* Clock.currentTimeMillis
      if (report.status === "unknown") away += now - last
      else left -= now - last
      last = now
      held = report.status === "healthy" ? held + 1 : 0
      if (held >= count || away > patience) return report
      if (report.status !== "unknown" && left <= 0) {
        return report.status === "healthy"
          ? { ...report, status: "degraded", detail: `it answered well only at the very end of ${timeout} ms` }
          : report
      }
      yield* Effect.sleep(report.status === "unknown" ? "2 seconds" : "400 millis")
    }
  })
