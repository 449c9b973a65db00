/** What the API answers with: the rows as people see them, in camelCase. Times are ISO 8601 in UTC. */
import { DependencyType } from "@context-engine/core/domain/Dependency"
import { Severity } from "@context-engine/core/domain/InfraEvent"
import { Method, ProxyType, Ssl } from "@context-engine/core/domain/Route"
import { SecretManager } from "@context-engine/core/domain/Secret"
import { ServerRole, ServerStatus } from "@context-engine/core/domain/Server"
import { DeployMethod, DeploySettings, HealthStatus, ServiceType } from "@context-engine/core/domain/Service"
import type { DependencyView } from "@context-engine/core/services/registry/dependencies"
import type { TimelineRow } from "@context-engine/core/services/registry/entries"
import type { RouteView } from "@context-engine/core/services/registry/routes"
import type { SecretView } from "@context-engine/core/services/registry/secrets"
import type { ServiceView } from "@context-engine/core/services/registry/services"
import type { DeploymentRow } from "@context-engine/core/views/deployments"
import type { ServerRow } from "@context-engine/core/views/servers"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/**
 * The schema of an answer. The compiler holds it to the type of the row: every field, none more, and of the same type.
 * Strings are not checked on the way out: what is in the log is shown, even where today's rules for input are stricter.
 */
export const row = <Row>(
  identifier: string,
  fields: { readonly [K in keyof Row]-?: Schema.Schema<Row[K], any> | Schema.PropertySignature.All },
): Schema.Schema<Row, any> => Schema.Struct(fields as any).annotations({ identifier }) as any

/** The same answer with status 201. */
export const withCreated = <Row>(schema: Schema.Schema<Row, any>): Schema.Schema<Row, any> =>
  schema.annotations({
    ...HttpApiSchema.annotations({ status: 201 }),
    identifier: Option.getOrUndefined(AST.getIdentifierAnnotation(schema.ast)),
  })

const text = Schema.NullOr(Schema.String)
const strings = Schema.Array(Schema.String)

const identified = { id: Schema.String, createdAt: Schema.String, updatedAt: Schema.String }

const look = { at: Schema.String, position: Schema.Number, by: Schema.String }

const Look = Schema.NullOr(Schema.Struct(look))

export const Server = row<ServerRow>("Server", {
  ...identified,
  name: Schema.String,
  hostname: text,
  ipAddresses: strings,
  role: Schema.NullOr(ServerRole),
  sshConfig: Schema.NullOr(Schema.Struct({ user: text, port: Schema.Number, keyPath: text, jumpHost: text })),
  local: Schema.Boolean,
  localKey: text,
  localMachine: text,
  os: text,
  resources: Schema.NullOr(Schema.Struct({ cpu: Schema.NullOr(Schema.Number), ram: text, disk: text })),
  tags: strings,
  notes: text,
  status: ServerStatus,
  statusReason: text,
  lastSeen: text,
  lastChecked: text,
  statusLook: Look,
  hostKeys: Schema.Array(
    Schema.Struct({
      address: Schema.String,
      algorithm: Schema.String,
      key: Schema.String,
      fingerprint: Schema.String,
    }),
  ),
})

export const Pinned = Schema.NullOr(Schema.Struct({ version: text, reason: text }))
export const LastDeployment = Schema.NullOr(Schema.Literal("in_progress", "success", "failed", "unknown"))

export const Service = row<ServiceView>("Service", {
  ...identified,
  name: Schema.String,
  server: Schema.String,
  serverId: Schema.String,
  type: Schema.NullOr(ServiceType),
  runtime: text,
  port: Schema.NullOr(Schema.Number),
  healthEndpoint: text,
  healthStatus: HealthStatus,
  healthDetail: text,
  lastHealthCheck: text,
  healthLook: Look,
  config: Schema.NullOr(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  envVars: strings,
  projectPath: text,
  gitRepo: text,
  currentVersion: text,
  pinned: Pinned,
  lastDeployment: LastDeployment,
  deploymentLook: Schema.NullOr(Schema.Struct({ ...look, id: Schema.String })),
  deployCommand: text,
  deploySettings: Schema.NullOr(DeploySettings),
  restartCommand: text,
  logPath: text,
  status: Schema.Literal("running", "stopped", "deploying", "failed", "unknown"),
  statusLook: Look,
  notes: text,
})

export const Route = row<RouteView>("Route", {
  ...identified,
  domain: Schema.String,
  path: Schema.String,
  method: Method,
  service: Schema.String,
  server: Schema.String,
  serviceId: Schema.String,
  proxyType: Schema.NullOr(ProxyType),
  ssl: Schema.NullOr(Ssl),
  rateLimit: Schema.NullOr(Schema.Struct({ requests: Schema.Number, window: Schema.String })),
  authRequired: Schema.Boolean,
  notes: text,
})

export const Dependency = row<DependencyView>("Dependency", {
  ...identified,
  service: Schema.String,
  serviceId: Schema.String,
  dependsOn: Schema.String,
  external: Schema.Boolean,
  dependsOnServiceId: text,
  dependsOnExternal: text,
  dependencyType: Schema.NullOr(DependencyType),
  connectionStringEnv: text,
  required: Schema.Boolean,
  notes: text,
})

export const Secret = row<SecretView>("Secret", {
  ...identified,
  name: Schema.String,
  service: text,
  server: text,
  serviceId: text,
  serverId: text,
  secretManager: Schema.NullOr(SecretManager),
  path: text,
  lastRotated: text,
  rotationPolicy: Schema.NullOr(Schema.Struct({ interval: Schema.String })),
  rotationDue: text,
  notes: text,
})

export const Deployment = row<DeploymentRow>("Deployment", {
  id: Schema.String,
  serviceId: Schema.String,
  service: Schema.String,
  server: Schema.String,
  version: text,
  previousVersion: text,
  deployedBy: Schema.String,
  machine: text,
  deployMethod: DeployMethod,
  status: Schema.Literal("pending", "in_progress", "success", "failed", "rolled_back", "unknown"),
  startedAt: Schema.String,
  completedAt: text,
  durationSeconds: Schema.NullOr(Schema.Number),
  logs: text,
  reason: text,
  verified: Schema.NullOr(Schema.Boolean),
  rollbackVersion: text,
  notes: text,
  steps: Schema.Array(
    Schema.Struct({
      step: Schema.Literal("pre", "command", "post", "health"),
      ok: Schema.Boolean,
      exitCode: Schema.NullOr(Schema.Number),
      duration: Schema.Number,
    }),
  ),
})

export const Event = row<TimelineRow>("Event", {
  id: Schema.String,
  serverId: text,
  serviceId: text,
  server: text,
  service: text,
  type: Schema.String,
  severity: Severity,
  title: Schema.String,
  description: text,
  metadata: Schema.Unknown,
  actor: Schema.String,
  source: Schema.Literal("log", "person"),
  createdAt: Schema.String,
  statedAt: Schema.optional(Schema.String),
  position: Schema.Number,
})
