/** What is wrong now, as far as the log knows: each thing with how grave it is, since when, and what to do next. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Severity } from "../domain/InfraEvent.js"
import type { StorageError } from "../Errors.js"
import { EventLog, type Obstacle } from "../EventLog.js"
import { ReadModels } from "../ReadModels.js"
import type { DeploymentRow } from "../views/deployments.js"
import type { RejectionRow } from "../views/rejections.js"
import type { ServerRow } from "../views/servers.js"
import { trustAnewFrom } from "./changedKey.js"
import { isOverdue } from "./deployer/overdue.js"
import { fullName, type Placed, placeAll } from "./names.js"
import { unwellServer, unwellService } from "./Overview.js"
import { Sync } from "./Sync.js"
import { ofLog, syncAlerts } from "./sync/alerts.js"
import { calledNow } from "./sync/calledNow.js"
import { saysLocal } from "./sync/saysLocal.js"
import { isAboutMachines } from "./sync/settling.js"

export interface Alert {
  readonly kind: "server" | "service" | "deployment" | "rejected" | "sync" | "log"
  readonly severity: Exclude<Severity, "info">
  /** What it is about: `edge`, `edge/api`, a command, the shared log. */
  readonly subject: string
  /** In words. */
  readonly message: string
  /** ISO 8601 UTC; `null` where that is not known. */
  readonly since: string | null
  /** The command that leads on. */
  readonly next: string
}

export class Alerts extends Context.Tag("@context-engine/core/Alerts")<
  Alerts,
  {
    /** The gravest first, and of those the oldest. Asks no host and no network. */
    readonly list: Effect.Effect<ReadonlyArray<Alert>, StorageError>
  }
>() {
  static readonly layer = Layer.effect(
    Alerts,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const sync = yield* Sync
      const log = yield* EventLog

      /** When what is unwell became so: the checks since then found the same. What another machine saw before may come after it. */
      const changedAt = (where: { readonly serverId: string } | { readonly serviceId: string }) =>
        Effect.map(
          models.infraEvents.list({
            where: { ...where, type: "health_change", severity: ["warning", "error"] },
            order: { by: "position", descending: true },
            limit: 1,
          }),
          ([last]) => last?.createdAt ?? null,
        )

      const servers = Effect.gen(function* () {
        const rows = yield* models.servers.list({ where: { status: unwellServer } })
        const all = rows.length === 0 ? [] : yield* models.servers.list()
        return yield* Effect.forEach(rows, (row) =>
          Effect.map(changedAt({ serverId: row.id }), (since) => serverAlert(row, since, all)),
        )
      })

      const services = Effect.gen(function* () {
        const rows = yield* models.services.list({ where: { healthStatus: unwellService } })
        return yield* Effect.forEach(yield* placeAll(models, rows), (placed) =>
          Effect.map(changedAt({ serviceId: placed.service.id }), (since) => serviceAlert(placed, since)),
        )
      })

      const deployments = Effect.gen(function* () {
        const rows = yield* models.services.list({ where: { lastDeployment: ["failed", "unknown", "in_progress"] } })
        const now = yield* Clock.currentTimeMillis
        const found = yield* Effect.forEach(yield* placeAll(models, rows), (placed) =>
          Effect.map(
            models.deployments.list({
              where: { serviceId: placed.service.id },
              order: { by: "startedAt", descending: true },
              limit: 1,
            }),
            ([last]) => {
              if (placed.service.lastDeployment !== "in_progress") return [deploymentAlert(placed, last)]
              return last !== undefined && isOverdue(last, placed.service, now) ? [overdueAlert(placed, last)] : []
            },
          ),
        )
        return found.flat()
      })

      const rejected = Effect.gen(function* () {
        const rows = yield* models.rejections.list({ where: { status: "open" } })
        return rows.length === 0 ? [] : calledNow(rows, yield* log.machineNames).map(refused)
      })

      return Alerts.of({
        list: Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const found = yield* Effect.all([servers, services, deployments, rejected])
          const obstacle = yield* log.obstacle
          const unwritable = obstacle === null ? [] : [obstacleAlert(obstacle)]
          return [...unwritable, ...found.flat(), ...syncAlerts(yield* sync.status, now)].sort(byGravity)
        }).pipe(Effect.withSpan("Alerts.list")),
      })
    }),
  )
}

const gravity: ReadonlyArray<Alert["severity"]> = ["critical", "error", "warning"]

const byGravity = (a: Alert, b: Alert): number =>
  gravity.indexOf(a.severity) - gravity.indexOf(b.severity) || (a.since ?? "").localeCompare(b.since ?? "")

const serverAlert = (row: ServerRow, since: string | null, all: ReadonlyArray<ServerRow>): Alert => ({
  kind: "server",
  severity: row.status === "offline" ? "critical" : "warning",
  subject: row.name,
  message: row.statusReason === null ? row.status : `${row.status}: ${row.statusReason}`,
  since: since ?? row.lastChecked,
  // Where another host key is the reason, a look comes to the same again.
  next: trustAnewFrom(row, all) ?? `context infra server status ${row.name}`,
})

const serviceAlert = (placed: Placed, since: string | null): Alert => {
  const { healthDetail, healthStatus, lastHealthCheck } = placed.service
  return {
    kind: "service",
    severity: healthStatus === "unhealthy" ? "error" : "warning",
    subject: fullName(placed),
    message: healthDetail === null ? healthStatus : `${healthStatus}: ${healthDetail}`,
    since: since ?? lastHealthCheck,
    next: `context infra service logs ${fullName(placed)}`,
  }
}

const deploymentAlert = (placed: Placed, last: DeploymentRow | undefined): Alert => {
  const failed = placed.service.lastDeployment === "failed"
  const what = failed ? "its last deployment failed" : "how its last deployment ended is not known"
  return {
    kind: "deployment",
    severity: failed ? "error" : "warning",
    subject: fullName(placed),
    message: last?.reason ? `${what}: ${last.reason}` : what,
    since: last?.completedAt ?? last?.startedAt ?? null,
    // Of one that never began there is nothing to go back from.
    next:
      failed && last !== undefined && last.steps.length > 0
        ? `context infra rollback ${fullName(placed)}`
        : `context infra history ${fullName(placed)}`,
  }
}

const overdueAlert = (placed: Placed, { machine, startedAt }: DeploymentRow): Alert => ({
  kind: "deployment",
  severity: "warning",
  subject: fullName(placed),
  message: `how its last deployment ended is not known: whoever began it${machine === null ? "" : ` on ${machine}`} has not told`,
  since: startedAt,
  next: `context infra deploy attach ${fullName(placed)}`,
})

const refused = (row: RejectionRow): Alert => {
  const { actor, id, machine, reason, rejectedAt, what } = row
  // Elsewhere it would be refused.
  const there = saysLocal(row) === undefined ? "" : `on ${machine}: `
  return {
    kind: "rejected",
    severity: "warning",
    subject: `${actor}@${machine}`,
    message: `${what} could not stand: ${reason}`,
    since: rejectedAt,
    next: isAboutMachines(row)
      ? `context infra machine list, and decide it anew if it is still meant; then context infra sync rejected drop ${id}`
      : `${there}context infra sync rejected retry ${id}, or drop ${id}`,
  }
}

/** That nothing can be written, in words. */
export const unwritable = ({ found }: Obstacle): string => `no command can write to the log: ${found}`

const obstacleAlert = (obstacle: Obstacle): Alert =>
  ofLog({ message: unwritable(obstacle), next: obstacle.fix, since: null })
