/** Services: what runs on the servers, how healthy it is, and every deployment of it. */
import * as Schema from "effect/Schema"
import * as Event from "../Event.js"
import * as Entity from "./Entity.js"
import {
  Instant,
  Interval,
  JsonObject,
  Line,
  list,
  Name,
  optional,
  Port,
  Reference,
  Text,
  VariableName,
} from "./fields.js"

export const ServiceType = Schema.Literal("app", "database", "cache", "queue", "proxy")
export type ServiceType = typeof ServiceType.Type

export const HealthStatus = Schema.Literal("healthy", "unhealthy", "degraded", "unknown")
export type HealthStatus = typeof HealthStatus.Type

export const DeployMethod = Schema.Literal("manual", "ci", "claude", "rollback")
export type DeployMethod = typeof DeployMethod.Type

const maybe = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** How a service is deployed, beyond its deploy command. What is left out has the default. */
export const DeploySettings = Schema.Struct({
  /** Run before and after the deploy command; what fails ends the deployment. */
  pre: maybe(Text),
  post: maybe(Text),
  /** Names of environment variables that the steps are given from the environment of whoever deploys. */
  env: maybe(Schema.Array(VariableName)),
  /** Where the steps run. Default: the project path. */
  directory: maybe(Line),
  /** How long the steps may take together. Default 15m. */
  timeout: maybe(Interval),
  /** How long it may take to become healthy. Default 60s. */
  healthTimeout: maybe(Interval),
  /** How many checks in a row must find it healthy. Default 2. */
  healthCount: maybe(Schema.Int.pipe(Schema.between(1, 100))),
  /** Whether a deployment that fails is rolled back at once. Default false. */
  autoRollback: maybe(Schema.Boolean),
  /** A note for people: whether the new one starts before the old one stops. */
  order: maybe(Schema.Literal("start-first", "stop-first")),
})
export type DeploySettings = typeof DeploySettings.Type

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
    deploySettings: optional(DeploySettings),
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

/** Nobody knows how it ended: what began it is gone, and so is what it began. */
export const DeploymentLost = Event.define("DeploymentLost", 1, Schema.Struct({ ...ended, reason: Schema.String }))

/** A step of it ended. `health` is the check after the commands; its exit code is `null`. Durations are seconds. */
export const DeploymentStepEnded = Event.define(
  "DeploymentStepEnded",
  1,
  Schema.Struct({
    ...named,
    deploymentId: Schema.String,
    step: Schema.Literal("pre", "command", "post", "health"),
    ok: Schema.Boolean,
    exitCode: Schema.NullOr(Schema.Number),
    duration: Schema.Number,
  }),
)

/** A person took the deploy lock of a service on its host by hand. `counter` is the lock's own, which only rises. */
export const DeployLocked = Event.define(
  "DeployLocked",
  1,
  Schema.Struct({ ...named, reason: Schema.NullOr(Text), counter: Schema.Number }),
)

/** A person released the deploy lock. */
export const DeployUnlocked = Event.define("DeployUnlocked", 1, Schema.Struct({ ...named }))

/** A person decided that the service stays at its version until it is unpinned. */
export const ServicePinned = Event.define(
  "ServicePinned",
  1,
  Schema.Struct({ ...named, version: Schema.NullOr(Schema.String), reason: Schema.NullOr(Text) }),
)

/** What may be done to a service as it runs. */
export const LifecycleAction = Schema.Literal("restart", "stop", "start")
export type LifecycleAction = typeof LifecycleAction.Type

/**
 * Somebody restarted, stopped or started it, or tried to. `failed`: its command did, or it did not become healthy; `unknown`:
 * nobody saw the end of it. Who it was is in the envelope.
 */
export const ServiceActionEnded = Event.define(
  "ServiceActionEnded",
  1,
  Schema.Struct({
    ...named,
    action: LifecycleAction,
    outcome: Schema.Literal("done", "failed", "unknown"),
    /** Why it is not done, in words. */
    reason: Schema.NullOr(Schema.String),
    exitCode: Schema.NullOr(Schema.Number),
    /** Whether a health check held afterwards. */
    verified: Schema.Boolean,
    /** Whether the deploy lock was not asked for. */
    forced: Schema.Boolean,
    /** Seconds. */
    duration: Schema.Number,
    /** The end of what it printed, secrets and escape codes removed. */
    logs: Schema.String,
    at: Instant,
  }),
)

/** It may be deployed again. */
export const ServiceUnpinned = Event.define("ServiceUnpinned", 1, Schema.Struct({ ...named }))

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
  DeploymentLost,
  DeploymentStepEnded,
  DeploymentRolledBack,
  DeploymentAnnotated,
  DeploymentHidden,
  DeployLocked,
  DeployUnlocked,
  ServicePinned,
  ServiceUnpinned,
  ServiceActionEnded,
] as const

export const definitions = [...entity.definitions, ...facts]

export type ServiceFact = Event.EventOf<(typeof facts)[number]>
export type ServiceEvent = Entity.EntityEvent<"Service", Service> | ServiceFact
