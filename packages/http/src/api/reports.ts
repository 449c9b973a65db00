/** What the API answers with when it was asked to look: at servers, at services, at everything. */
import { ServerStatus } from "@context-engine/core/domain/Server"
import { HealthStatus } from "@context-engine/core/domain/Service"
import type { Deployer, DeployPlan as DeployPlanData, LockHolder } from "@context-engine/core/services/Deployer"
import type { ServerReport as ServerReportData } from "@context-engine/core/services/Fleet"
import type { HealthReport as HealthReportData } from "@context-engine/core/services/Health"
import type { OverviewServer, OverviewService, OverviewStatus } from "@context-engine/core/services/Overview"
import type { Metrics } from "@context-engine/core/services/probe"
import type * as Effect from "effect/Effect"
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
  rejected: Schema.Number,
  servers: Schema.Array(ServerOverview),
  asOf: Schema.Struct({ position: Schema.Number, recordedAt: text }),
})

const Holder = row<LockHolder>("LockHolder", {
  counter: Schema.Number,
  age: Schema.Number,
  deploymentId: Schema.UndefinedOr(Schema.String),
  state: Schema.Literal("hand", "none", "prepared", "running", "over", "vanished"),
  actor: Schema.String,
  machine: Schema.String,
  reason: Schema.String,
  left: Schema.optionalWith(Schema.Boolean, { default: () => false }),
})

export const DeployPlan = row<DeployPlanData>("DeployPlan", {
  service: Schema.String,
  server: Schema.String,
  directory: text,
  steps: Schema.Array(Schema.Struct({ step: Schema.Literal("pre", "command", "post"), command: Schema.String })),
  from: text,
  to: text,
  commits: Schema.UndefinedOr(Schema.Array(Schema.String)),
  backwards: Schema.Boolean,
  affected: Schema.Array(Schema.String),
  check: Schema.String,
  timeout: Schema.Number,
  lock: Schema.NullOr(Holder),
  pinned: Pinned,
  rollback: Schema.NullOr(Schema.Struct({ version: Schema.String, available: Schema.NullOr(Schema.Boolean) })),
  problems: Schema.Array(Schema.String),
})

type Answer<Method extends "lock" | "output" | "pin"> = Effect.Effect.Success<ReturnType<Deployer["Type"][Method]>>

export const DeployOutput = row<Answer<"output">>("DeployOutput", { text: Schema.String, whole: Schema.Boolean })
export const DeployLocked = row<Answer<"lock">>("DeployLocked", { service: Schema.String, counter: Schema.Number })
export const PinnedService = row<Answer<"pin">>("PinnedService", { service: Schema.String, version: text })
