/** Services: what runs on the servers, how healthy it is, and every deployment of it. */
import * as Schema from "effect/Schema"
import * as Event from "../Event.js"
import * as Entity from "./Entity.js"
import { Instant, JsonObject, Line, list, Name, optional, Port, Reference, Text, VariableName } from "./fields.js"

export const ServiceType = Schema.Literal("app", "database", "cache", "queue", "proxy")
export type ServiceType = typeof ServiceType.Type

export const HealthStatus = Schema.Literal("healthy", "unhealthy", "degraded", "unknown")
export type HealthStatus = typeof HealthStatus.Type

export const DeployMethod = Schema.Literal("manual", "ci", "claude", "rollback")
export type DeployMethod = typeof DeployMethod.Type

export const entity = Entity.make({
  entity: "Service",
  stream: "service",
  fields: {
    name: Name,
    serverId: Reference,
    type: optional(ServiceType),
    /** bun, node, go, docker, systemd, … */
    runtime: optional(Line),
    port: optional(Port),
    /** A path on the service's own port, or a whole http(s) URL. */
    healthEndpoint: optional(
      Line.pipe(
        Schema.filter(
          (value) => /^(\/\S*|https?:\/\/\S+)$/.test(value) || "must be a path such as /health or an http(s) URL",
        ),
      ),
    ),
    config: optional(JsonObject),
    envVars: list(VariableName),
    projectPath: optional(Line),
    gitRepo: optional(Line),
    deployCommand: optional(Text),
    restartCommand: optional(Text),
    logPath: optional(Line),
    notes: optional(Text),
  },
  label: (service) => service.name,
})

/** The configured part of a service. */
export type Service = Schema.Schema.Type<typeof entity.input>
export type ServiceInput = Schema.Schema.Encoded<typeof entity.input>

/** What a service and its server were called when something happened to it. */
const named = { service: Schema.String, server: Schema.String, serverId: Schema.String }

/** The health endpoint was asked. `latency` is in milliseconds. */
export const HealthChecked = Event.define(
  "HealthChecked",
  1,
  Schema.Struct({
    ...named,
    status: HealthStatus,
    previous: HealthStatus,
    detail: Schema.String,
    latency: Schema.NullOr(Schema.Number),
    at: Instant,
  }),
)

/** A deployment began. `version` is what was asked for: `null` means whatever the deploy command brings. */
export const DeploymentStarted = Event.define(
  "DeploymentStarted",
  1,
  Schema.Struct({
    ...named,
    deploymentId: Schema.String,
    version: Schema.NullOr(Schema.String),
    previousVersion: Schema.NullOr(Schema.String),
    deployedBy: Schema.String,
    method: DeployMethod,
    notes: Schema.NullOr(Schema.String),
    at: Instant,
  }),
)

const ended = {
  ...named,
  deploymentId: Schema.String,
  version: Schema.NullOr(Schema.String),
  /** Seconds. */
  duration: Schema.Number,
  /** The end of what it printed, secrets and escape codes removed. */
  logs: Schema.String,
  at: Instant,
}

/** It ended well. `verified`: a health check held afterwards. */
export const DeploymentSucceeded = Event.define(
  "DeploymentSucceeded",
  1,
  Schema.Struct({ ...ended, verified: Schema.Boolean }),
)

/** It ended badly, for the reason given. */
export const DeploymentFailed = Event.define("DeploymentFailed", 1, Schema.Struct({ ...ended, reason: Schema.String }))

/** A later deployment went back to `rollbackVersion`, from this one. */
export const DeploymentRolledBack = Event.define(
  "DeploymentRolledBack",
  1,
  Schema.Struct({ ...named, deploymentId: Schema.String, rollbackVersion: Schema.String, by: Schema.String }),
)

/** A person wrote a note on a deployment. */
export const DeploymentAnnotated = Event.define(
  "DeploymentAnnotated",
  1,
  Schema.Struct({ ...named, deploymentId: Schema.String, notes: Schema.NullOr(Text) }),
)

/** A person took a deployment out of the history that is shown. The log keeps it. */
export const DeploymentHidden = Event.define(
  "DeploymentHidden",
  1,
  Schema.Struct({ ...named, deploymentId: Schema.String }),
)

const facts = [
  HealthChecked,
  DeploymentStarted,
  DeploymentSucceeded,
  DeploymentFailed,
  DeploymentRolledBack,
  DeploymentAnnotated,
  DeploymentHidden,
] as const

export const definitions = [...entity.definitions, ...facts]

export type ServiceFact = Event.EventOf<(typeof facts)[number]>
export type ServiceEvent = Entity.EntityEvent<"Service", Service> | ServiceFact
