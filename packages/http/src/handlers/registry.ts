/** The registry's handlers: each calls one method of a service. */
import type { Server } from "@context-engine/core/domain/Server"
import { Deployer } from "@context-engine/core/services/Deployer"
import { Fleet } from "@context-engine/core/services/Fleet"
import { Registry } from "@context-engine/core/services/Registry"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Api } from "../api/Api.js"
import { fromHistory, fromRegistry, since } from "./reading.js"

const registry = <A, E>(tell: (registry: Registry["Type"]) => Effect.Effect<A, E>) => Effect.flatMap(Registry, tell)
const deployer = <A, E>(tell: (deployer: Deployer["Type"]) => Effect.Effect<A, E>) => Effect.flatMap(Deployer, tell)

const servers = HttpApiBuilder.group(Api, "servers", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { at, knownAt } }) => fromRegistry({ at, knownAt }, (_) => _.servers.list()))
    .handle("one", ({ path, urlParams: { at, knownAt } }) =>
      fromRegistry({ at, knownAt }, (_) => _.servers.get(path.name)),
    )
    .handle("create", ({ payload }) => registry((_) => _.servers.add(payload)))
    .handle("update", ({ path, payload }) => registry((_) => updateServer(_, path.name, payload)))
    .handle("rename", ({ path, payload }) => registry((_) => _.servers.rename(path.name, payload.to)))
    .handle("remove", ({ path, urlParams }) => Effect.asVoid(registry((_) => _.servers.remove(path.name, urlParams))))
    .handle("status", ({ payload }) => Effect.flatMap(Fleet, (_) => _.status(payload.servers))),
)

/** Who sends back what was read does not mean that a server which is local to another machine is this one from now on. */
const updateServer = ({ servers }: Registry["Type"], name: string, { local, ...others }: Partial<Server>) =>
  Effect.flatMap(servers.get(name), (server) =>
    servers.update(name, local === undefined || local === server.local ? others : { ...others, local }),
  )

const services = HttpApiBuilder.group(Api, "services", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { at, knownAt, ...query } }) =>
      fromRegistry({ at, knownAt }, (_) => _.services.list(query)),
    )
    .handle("one", ({ path, urlParams: { at, knownAt } }) =>
      fromRegistry({ at, knownAt }, (_) => _.services.get(path.name)),
    )
    .handle("create", ({ payload }) => registry((_) => _.services.add(payload)))
    .handle("update", ({ path, payload }) => registry((_) => _.services.update(path.name, payload)))
    .handle("rename", ({ path, payload }) => registry((_) => _.services.rename(path.name, payload.to)))
    .handle("remove", ({ path, urlParams }) => Effect.asVoid(registry((_) => _.services.remove(path.name, urlParams))))
    .handle("deployments", ({ path, urlParams: { at, knownAt, ...query } }) =>
      fromHistory({ at, knownAt }, (_) => _.history(path.name, query)),
    ),
)

const routes = HttpApiBuilder.group(Api, "routes", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { at, knownAt } }) => fromRegistry({ at, knownAt }, (_) => _.routes.list()))
    .handle("one", ({ path, urlParams: { at, knownAt, ...key } }) =>
      fromRegistry({ at, knownAt }, (_) => _.routes.get({ ...path, ...key })),
    )
    .handle("create", ({ payload }) => registry((_) => _.routes.add(payload)))
    .handle("update", ({ path, payload, urlParams }) =>
      registry((_) => _.routes.update({ ...path, ...urlParams }, payload)),
    )
    .handle("remove", ({ path, urlParams }) =>
      Effect.asVoid(registry((_) => _.routes.remove({ ...path, ...urlParams }))),
    ),
)

const deps = HttpApiBuilder.group(Api, "deps", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { at, knownAt, ...query } }) =>
      fromRegistry({ at, knownAt }, (_) => _.dependencies.list(query)),
    )
    .handle("one", ({ path, urlParams: { at, knownAt } }) =>
      fromRegistry({ at, knownAt }, (_) => _.dependencies.get(path)),
    )
    .handle("create", ({ payload }) => registry((_) => _.dependencies.add(payload)))
    .handle("update", ({ path, payload }) => registry((_) => _.dependencies.update(path, payload)))
    .handle("remove", ({ path }) => Effect.asVoid(registry((_) => _.dependencies.remove(path)))),
)

const secrets = HttpApiBuilder.group(Api, "secrets", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { at, knownAt } }) => fromRegistry({ at, knownAt }, (_) => _.secrets.list()))
    .handle("one", ({ path, urlParams: { at, knownAt, ...key } }) =>
      fromRegistry({ at, knownAt }, (_) => _.secrets.get({ ...path, ...key })),
    )
    .handle("create", ({ payload }) => registry((_) => _.secrets.add(payload)))
    .handle("update", ({ path, payload, urlParams }) =>
      registry((_) => _.secrets.update({ ...path, ...urlParams }, payload)),
    )
    .handle("rotated", ({ path, urlParams }) => registry((_) => _.secrets.rotated({ ...path, ...urlParams })))
    .handle("remove", ({ path, urlParams }) =>
      Effect.asVoid(registry((_) => _.secrets.remove({ ...path, ...urlParams }))),
    ),
)

const events = HttpApiBuilder.group(Api, "events", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { at, knownAt, ...query } }) =>
      Effect.flatMap(since(query.since), (from) =>
        fromRegistry({ at, knownAt }, (_) => _.timeline.list({ ...query, since: from })),
      ),
    )
    .handle("one", ({ path, urlParams: { at, knownAt } }) =>
      fromRegistry({ at, knownAt }, (_) => _.timeline.get(path.id)),
    )
    .handle("create", ({ payload }) => registry((_) => _.timeline.add(payload)))
    .handle("update", ({ path, payload }) => registry((_) => _.timeline.update(path.id, payload)))
    .handle("remove", ({ path }) => Effect.asVoid(registry((_) => _.timeline.remove(path.id)))),
)

const deployments = HttpApiBuilder.group(Api, "deployments", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { at, knownAt, limit, service } }) =>
      fromHistory({ at, knownAt }, (_) => (service === undefined ? _.list({ limit }) : _.history(service, { limit }))),
    )
    .handle("one", ({ path, urlParams: { at, knownAt } }) => fromHistory({ at, knownAt }, (_) => _.get(path.id)))
    .handle("create", ({ payload }) => deployer((_) => _.record(payload)))
    .handle("update", ({ path, payload }) => deployer((_) => _.annotate(path.id, payload.notes)))
    .handle("remove", ({ path }) => deployer((_) => _.hide(path.id))),
)

/** The handlers of every kind of thing in the registry. */
export const layer = Layer.mergeAll(servers, services, routes, deps, secrets, events, deployments)
