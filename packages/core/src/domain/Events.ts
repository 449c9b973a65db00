/** The union of all events this version knows, by type: what the log checks a new event against. */
import type { Definition } from "../Event.js"
import * as Dependency from "./Dependency.js"
import * as InfraEvent from "./InfraEvent.js"
import * as Machine from "./Machine.js"
import * as Rejection from "./Rejection.js"
import * as Route from "./Route.js"
import * as Secret from "./Secret.js"
import * as Server from "./Server.js"
import * as Service from "./Service.js"

export type DomainEvent =
  | Server.ServerEvent
  | Service.ServiceEvent
  | Route.RouteEvent
  | Dependency.DependencyEvent
  | Secret.SecretEvent
  | InfraEvent.InfraEventEvent
  | Machine.MachineEvent
  | Rejection.RejectionEvent

/** Every event definition, by type. */
export const definitions: ReadonlyMap<string, Definition<string, any>> = new Map(
  [
    ...Server.definitions,
    ...Service.definitions,
    ...Route.entity.definitions,
    ...Dependency.entity.definitions,
    ...Secret.definitions,
    ...InfraEvent.entity.definitions,
    ...Machine.definitions,
    ...Rejection.definitions,
  ].map((definition) => [definition.type, definition as Definition<string, any>]),
)
