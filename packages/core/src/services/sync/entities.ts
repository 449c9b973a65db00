/** The things of the registry, by the types of their events, with their views and what they refer to. */
import * as Dependency from "../../domain/Dependency.js"
import * as InfraEvent from "../../domain/InfraEvent.js"
import * as Route from "../../domain/Route.js"
import * as Secret from "../../domain/Secret.js"
import * as Server from "../../domain/Server.js"
import * as Service from "../../domain/Service.js"
import type { Projection } from "../../Projection.js"
import { dependencies } from "../../views/dependencies.js"
import { infraEvents } from "../../views/infraEvents.js"
import { routes } from "../../views/routes.js"
import { secrets } from "../../views/secrets.js"
import { servers } from "../../views/servers.js"
import { services } from "../../views/services.js"

export interface Kind {
  readonly noun: string
  readonly view: Projection
  /** What people call one. */
  readonly label: (row: any) => string
  /** The fields that hold the id of another thing, which must be there. */
  readonly references: ReadonlyArray<{ readonly field: string; readonly to: Projection; readonly noun: string }>
  /** Unique keys beside those of the view, in which nothing (`null`) equals nothing. */
  readonly alsoUnique: ReadonlyArray<ReadonlyArray<string>>
}

type Verb = "Added" | "Updated" | "Renamed" | "Removed"

const server = (field: string) => ({ field, to: servers, noun: "server" })
const service = (field: string) => ({ field, to: services, noun: "service" })

const kind = (
  { entity, label }: { readonly entity: string; readonly label: (row: any) => string },
  view: Projection,
  references: Kind["references"] = [],
  alsoUnique: Kind["alsoUnique"] = [],
): Kind & { readonly entity: string } => ({ entity, noun: entity.toLowerCase(), view, label, references, alsoUnique })

/** Of the timeline, what people wrote: only that can be changed. */
const entries: Projection = {
  ...infraEvents,
  key: (event) => (event.stream.startsWith("entry-") ? infraEvents.key(event) : undefined),
}

/** Every kind of thing. A timeline entry keeps the names of what it was about, so it refers to nothing. */
export const kinds = [
  kind(Server.entity, servers),
  kind(Service.entity, services, [server("serverId")]),
  kind(Route.entity, routes, [service("serviceId")]),
  kind(Dependency.entity, dependencies, [service("serviceId"), service("dependsOnServiceId")]),
  kind(Secret.entity, secrets, [service("serviceId"), server("serverId")], [["name", "serviceId", "serverId"]]),
  kind({ ...InfraEvent.entity, entity: "InfraEvent" }, entries),
]

const verbs: ReadonlyArray<Verb> = ["Added", "Updated", "Renamed", "Removed"]

/** What the type of an event says was done, and to which kind of thing. */
export const entities: ReadonlyMap<string, { readonly kind: Kind; readonly verb: Verb }> = new Map(
  kinds.flatMap((one) => verbs.map((verb) => [`${one.entity}${verb}`, { kind: one, verb }] as const)),
)

/** The views that decisions are made on. */
export const decisive: ReadonlyArray<Projection> = kinds.map(({ view }) => view)
