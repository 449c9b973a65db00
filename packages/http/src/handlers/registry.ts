/** The registry's handlers: each calls one method of a service. */
import { Deployer } from "@context-engine/core/services/Deployer"
import { Fleet } from "@context-engine/core/services/Fleet"
import { Registry } from "@context-engine/core/services/Registry"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Api } from "../api/Api.js"
import { reading, since } from "./reading.js"

type Registered = Registry["Type"]

const registry = <A, E, R>(use: (registry: Registered) => Effect.Effect<A, E, R>) => Effect.flatMap(Registry, use)
const deployer = <A, E, R>(use: (deployer: Deployer["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(Deployer, use)

const servers = HttpApiBuilder.group(Api, "servers", (handlers) =>
  handlers
    .handle("list", ({ urlParams }) =>
      reading(
        urlParams.at,
        registry((_) => _.servers.list()),
      ),
    )
    .handle("one", ({ path, urlParams }) =>
      reading(
        urlParams.at,
        registry((_) => _.servers.get(path.name)),
      ),
    )
    .handle("create", ({ payload }) => registry((_) => _.servers.add(payload)))
    .handle("update", ({ path, payload }) => registry((_) => _.servers.update(path.name, payload)))
    .handle("rename", ({ path, payload }) => registry((_) => _.servers.rename(path.name, payload.to)))
    .handle("remove", ({ path, urlParams }) => Effect.asVoid(registry((_) => _.servers.remove(path.name, urlParams))))
    .handle("look", ({ payload }) => Effect.flatMap(Fleet, (fleet) => fleet.status(payload.servers))),
)

const services = HttpApiBuilder.group(Api, "services", (handlers) =>
  handlers
    .handle("list", ({ urlParams: { at, ...query } }) =>
      reading(
        at,
        registry((_) => _.services.list(query)),
      ),
    )
    .handle("one", ({ path, urlParams }) =>
      reading(
        urlParams.at,
        registry((_) => _.services.get(path.name)),
      ),
    )
    .handle("create", ({ payload }) => registry((_) => _.services.add(payload)))
    .handle("update", ({ path, payload }) => registry((_) => _.services.update(path.name, payload)))
    .handle("rename", ({ path, payload }) => registry((_) => _.services.rename(path.name, payload.to)))
    .handle("remove", ({ path, urlParams }) => Effect.asVoid(registry((_) => _.services.remove(path.name, urlParams))))
    .handle("deployments", ({ path, urlParams: { at, ...query } }) =>
      reading(
        at,
        deployer((_) => _.history(path.name, query)),
      ),
    ),
)
