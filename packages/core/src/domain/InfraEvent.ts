/** Timeline entries that people write themselves: incidents, maintenance, notes. */
import * as Schema from "effect/Schema"
import * as Entity from "./Entity.js"
import { defaulted, JsonObject, Line, optional, Reference, Text } from "./fields.js"

export const InfraEventType = Schema.Literal(
  "deploy",
  "restart",
  "health_change",
  "alert",
  "incident",
  "maintenance",
  "config",
  "security",
  "note",
)
export const Severity = Schema.Literal("info", "warning", "error", "critical")
export type Severity = typeof Severity.Type

export const entity = Entity.make({
  entity: "InfraEvent",
  stream: "entry",
  fields: {
    serverId: optional(Reference),
    serviceId: optional(Reference),
    /** What the server and service were called then. */
    server: optional(Line),
    service: optional(Line),
    type: defaulted(InfraEventType, "note"),
    severity: defaulted(Severity, "info"),
    title: Line,
    description: optional(Text),
    metadata: optional(JsonObject),
  },
  label: (entry) => entry.title,
})

export type InfraEvent = Schema.Schema.Type<typeof entity.input>
export type InfraEventInput = Schema.Schema.Encoded<typeof entity.input>
export type InfraEventEvent = Entity.EntityEvent<"InfraEvent", InfraEvent>
