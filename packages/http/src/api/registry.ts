/** The registry's part of the contract: what is particular to each kind of thing. */
import * as Dependency from "@context-engine/core/domain/Dependency"
import { Text } from "@context-engine/core/domain/fields"
import * as InfraEvent from "@context-engine/core/domain/InfraEvent"
import * as Route from "@context-engine/core/domain/Route"
import * as Secret from "@context-engine/core/domain/Secret"
import * as Server from "@context-engine/core/domain/Server"
import * as Service from "@context-engine/core/domain/Service"
import type { AddDependency, ChangeDependency } from "@context-engine/core/services/registry/dependencies"
import type { AddEntry, ChangeEntry } from "@context-engine/core/services/registry/entries"
import type { AddRoute, ChangeRoute } from "@context-engine/core/services/registry/routes"
import type { AddSecret, ChangeSecret } from "@context-engine/core/services/registry/secrets"
import type { AddService, ChangeService } from "@context-engine/core/services/registry/services"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { crud } from "./crud.js"
import * as Fields from "./fields.js"
import * as Reports from "./reports.js"
import * as Rows from "./rows.js"

const named = { at: "/:name", path: Fields.path("name") } as const
const cascade = { cascade: Fields.flag }
const onServer = { server: Schema.String }
const ofService = { service: Schema.String }
const maybeOnServer = { server: Fields.name }
const maybeOfService = { service: Fields.name }
const Renamed = Fields.body("Rename", { to: Schema.String })

const renamed = <Row>(path: `/${string}/:name/rename`, row: Schema.Schema<Row, any>, noun: string) =>
  HttpApiEndpoint.post("rename", path)
    .setPath(named.path)
    .setPayload(Renamed)
    .addSuccess(row)
    .annotateContext(OpenApi.annotations({ summary: `Rename ${noun}` }))

export const servers = crud("servers", {
  ...named,
  noun: "a server",
  description: "The machines.",
  row: Rows.Server,
  create: Fields.created<Server.ServerInput>("NewServer", Server.entity, { without: [] }),
  update: Fields.changed<Partial<Omit<Server.Server, "name">>>("ServerChanges", Server.entity, { without: ["name"] }),
  key: {},
  list: {},
  remove: cascade,
})
  .add(renamed("/servers/:name/rename", Rows.Server, "a server"))
  .add(
    HttpApiEndpoint.post("status", "/servers/status")
      .setPayload(Fields.optionalBody("Look", { servers: Schema.optional(Schema.Array(Schema.String)) }))
      .addSuccess(Schema.Array(Reports.ServerReport))
      .annotateContext(OpenApi.annotations({ summary: "Connect to servers, all or the named ones, and look at them" })),
  )

export const services = crud("services", {
  ...named,
  noun: "a service",
  description: "What runs on the servers. A service is `api` where that is unambiguous, else `server%2Fapi`.",
  row: Rows.Service,
  create: Fields.created<AddService>("NewService", Service.entity, { without: ["serverId"], with: onServer }),
  update: Fields.changed<ChangeService>("ServiceChanges", Service.entity, {
    without: ["serverId", "name"],
    with: maybeOnServer,
  }),
  key: {},
  list: { server: Fields.name },
  remove: cascade,
})
  .add(renamed("/services/:name/rename", Rows.Service, "a service"))
  .add(
    HttpApiEndpoint.get("deployments", "/services/:name/deployments")
      .setPath(named.path)
      .setUrlParams(Fields.query({ limit: Fields.limit, ...Fields.reading }))
      .addSuccess(Schema.Array(Rows.Deployment))
      .annotateContext(OpenApi.annotations({ summary: "List a service's deployments, newest first" })),
  )

export const routes = crud("routes", {
  noun: "a route",
  description: "Which domain and path lead to which service. A domain alone names its route while it has only one.",
  row: Rows.Route,
  at: "/:domain",
  path: Fields.path("domain"),
  create: Fields.created<AddRoute>("NewRoute", Route.entity, { without: ["serviceId"], with: ofService }),
  update: Fields.changed<ChangeRoute>("RouteChanges", Route.entity, {
    without: ["serviceId", "domain", "path", "method"],
    with: maybeOfService,
  }),
  key: { path: Fields.name, method: Fields.name },
  list: {},
  remove: {},
})

const ends = ["serviceId", "dependsOnServiceId", "dependsOnExternal"]

export const deps = crud("deps", {
  noun: "a dependency",
  description: "What services need: other services (`on`), or things that are not ours (`external`).",
  row: Rows.Dependency,
  at: "/:service/:on",
  path: Fields.path("service", "on"),
  create: Fields.created<AddDependency>("NewDependency", Dependency.entity, {
    without: ends,
    with: { ...ofService, on: Fields.name, external: Fields.name },
  }),
  update: Fields.changed<ChangeDependency>("DependencyChanges", Dependency.entity, { without: ends }),
  key: {},
  list: { service: Fields.name, reverse: Fields.flag },
  remove: {},
})

export const secrets = crud("secrets", {
  ...named,
  noun: "a secret",
  description: "Which secrets there are and where they are kept. Never what they are: a value is refused.",
  row: Rows.Secret,
  create: Fields.created<AddSecret>("NewSecret", Secret.entity, {
    without: ["serviceId", "serverId"],
    with: { service: Fields.name, server: Fields.name },
  }),
  update: Fields.changed<ChangeSecret>("SecretChanges", Secret.entity, { without: ["serviceId", "serverId", "name"] }),
  key: { service: Fields.name, server: Fields.name },
  list: {},
  remove: {},
}).add(
  HttpApiEndpoint.post("rotated", "/secrets/:name/rotated")
    .setPath(named.path)
    .setUrlParams(Fields.query({ service: Fields.name, server: Fields.name }))
    .addSuccess(Rows.Secret)
    .annotateContext(OpenApi.annotations({ summary: "Note that a secret was changed where it is kept" })),
)

export const events = crud("events", {
  noun: "an entry of the timeline",
  description:
    "The timeline people read, the last in the log first: what was done offline stands where it was shared. Only what a person wrote can be changed or removed.",
  row: Rows.Event,
  at: "/:id",
  path: Fields.path("id"),
  create: Fields.created<AddEntry>("NewEvent", InfraEvent.entity, { without: ["serverId", "serviceId"] }),
  update: Fields.changed<ChangeEntry>("EventChanges", InfraEvent.entity, {
    without: ["serverId", "serviceId", "server", "service"],
  }),
  key: {},
  list: {
    server: Fields.name,
    service: Fields.name,
    since: Schema.optional(Schema.String.annotations({ description: "a time, or a span ago such as 2h" })),
    severity: Schema.optional(InfraEvent.Severity),
    limit: Fields.limit,
  },
  remove: {},
})

export const deployments = crud("deployments", {
  noun: "a deployment",
  description:
    "Every deployment, newest first. `POST` records one that some other tool has made; `DELETE` hides one, the log keeps it.",
  row: Rows.Deployment,
  at: "/:id",
  path: Fields.path("id"),
  create: Fields.body("NewDeployment", {
    service: Schema.String,
    version: Schema.String,
    status: Schema.Literal("success", "failed"),
    deployedBy: Schema.optional(Schema.String),
    method: Schema.optional(Service.DeployMethod),
    startedAt: Schema.optional(Schema.String),
    completedAt: Schema.optional(Schema.String),
    logs: Schema.optional(Schema.String),
    reason: Schema.optional(Schema.String),
    notes: Schema.optional(Schema.String),
  }),
  update: Fields.body("DeploymentChanges", { notes: Schema.NullOr(Text) }),
  key: {},
  list: { service: Fields.name, limit: Fields.limit },
  remove: {},
})
