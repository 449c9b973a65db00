/** What the API answers with when it was asked to look: at servers, at services, at everything. */
import { ServerStatus } from "@context-engine/core/domain/Server"
import { HealthStatus } from "@context-engine/core/domain/Service"
import type { ServerReport as ServerReportData } from "@context-engine/core/services/Fleet"
import type { HealthReport as HealthReportData } from "@context-engine/core/services/Health"
import type { OverviewServer, OverviewService, OverviewStatus } from "@context-engine/core/services/Overview"
import type { Metrics } from "@context-engine/core/services/probe"
import * as Schema from "effect/Schema"
import { LastDeployment, Pinned, row } from "./rows.js"

const text = Schema.NullOr(Schema.String)
const number = Schema.NullOr(Schema.Number)
const size = Schema.NullOr(Schema.Struct({ total: Schema.Number, available: Schema.Number }))

const ServerMetrics = row<Metrics>("Metrics", {
  os: text,
  kernel: text,
  uptime: number,
  load: Schema.NullOr(Schema.Tuple(Schema.Number, Schema.Number, Schema.Number)),
  cpus: number,
  memory: size,
  disk: size,
})

export const ServerReport = row<ServerReportData>("ServerReport", {
  server: Schema.String,
  status: ServerStatus,
  reason: text,
  latency: number,
  metrics: Schema.NullOr(ServerMetrics),
  checkedAt: Schema.String,
  lastSeen: text,
})

export const HealthReport = row<HealthReportData>("HealthReport", {
  service: Schema.String,
  server: Schema.String,
  status: HealthStatus,
  detail: Schema.String,
  latency: number,
  checkedAt: Schema.String,
})

const ServiceStatus = row<OverviewService>("ServiceStatus", {
  name: Schema.String,
  server: Schema.String,
  health: HealthStatus,
  detail: text,
  checkedAt: text,
  version: text,
  status: Schema.String,
  lastDeployment: LastDeployment,
  pinned: Pinned,
})

const ServerOverview = row<OverviewServer>("ServerStatus", {
  name: Schema.String,
  role: text,
  status: ServerStatus,
  reason: text,
  checkedAt: text,
  services: Schema.Array(ServiceStatus),
})

export const Status = row<OverviewStatus>("Status", {
  ok: Schema.Boolean,
  servers: Schema.Array(ServerOverview),
  asOf: Schema.Struct({ position: Schema.Number, recordedAt: text }),
})
