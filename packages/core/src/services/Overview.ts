/** The one look that answers "is everything well?": every server and service, from what the log knows, with its age. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ServerStatus } from "../domain/Server.js"
import type { HealthStatus } from "../domain/Service.js"
import type { StorageError } from "../Errors.js"
import { type AsOf, ReadModels } from "../ReadModels.js"
import type { ServiceRow } from "../views/services.js"

export interface OverviewServer {
  readonly name: string
  readonly role: string | null
  readonly status: ServerStatus
  readonly reason: string | null
  /** When that was found out; `null` if it never was. */
  readonly checkedAt: string | null
  readonly services: ReadonlyArray<OverviewService>
}

export interface OverviewService {
  readonly name: string
  readonly server: string
  readonly health: HealthStatus
  readonly detail: string | null
  readonly checkedAt: string | null
  readonly version: string | null
  readonly status: string
  /** How its last deployment stands; `null` where there was none. */
  readonly lastDeployment: ServiceRow["lastDeployment"]
  /** The version it is to stay at; `null` while it may be deployed. */
  readonly pinned: ServiceRow["pinned"]
}

/** `ok` is true unless something is known to be unwell or a refused command is open; unknown is neither. */
export interface OverviewStatus {
  readonly ok: boolean
  /** Commands that could not stand beside what others did, and that nobody has dealt with. */
  readonly rejected: number
  readonly servers: ReadonlyArray<OverviewServer>
  readonly asOf: AsOf
}

/** What is known to be wrong. */
export const unwellServer: ReadonlyArray<ServerStatus> = ["offline", "degraded"]
export const unwellService: ReadonlyArray<HealthStatus> = ["unhealthy", "degraded"]

export class Overview extends Context.Tag("@context-engine/core/Overview")<
  Overview,
  { readonly status: Effect.Effect<OverviewStatus, StorageError> }
>() {
  static readonly layer = Layer.effect(
    Overview,
    Effect.map(ReadModels, (models) =>
      Overview.of({
        status: Effect.gen(function* () {
          const servers = yield* models.servers.list()
          const services = yield* models.services.list()
          const byServer = new Map<string, Array<OverviewService>>()
          const names = new Map(servers.map((server) => [server.id, server.name]))
          for (const service of services) {
            const list = byServer.get(service.serverId) ?? []
            byServer.set(service.serverId, list)
            list.push({
              name: service.name,
              server: names.get(service.serverId) ?? "?",
              health: service.healthStatus,
              detail: service.healthDetail,
              checkedAt: service.lastHealthCheck,
              version: service.currentVersion,
              status: service.status,
              lastDeployment: service.lastDeployment,
              pinned: service.pinned,
            })
          }
          const rejected = (yield* models.rejections.list({ where: { status: "open" } })).length
          const unwell =
            servers.some(({ status }) => unwellServer.includes(status)) ||
            services.some(({ healthStatus }) => unwellService.includes(healthStatus))
          return {
            ok: !unwell && rejected === 0,
            rejected,
            servers: servers.map((server) => ({
              name: server.name,
              role: server.role,
              status: server.status,
              reason: server.statusReason,
              checkedAt: server.lastChecked,
              services: byServer.get(server.id) ?? [],
            })),
            asOf: yield* models.asOf,
          }
        }).pipe(Effect.withSpan("Overview.status")),
      }),
    ),
  )
}
