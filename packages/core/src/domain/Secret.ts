/** The secrets registry: which secrets there are and where they are kept. Names only; a value is refused. */
import * as Schema from "effect/Schema"
import * as Event from "../Event.js"
import * as Entity from "./Entity.js"
import { Instant, Interval, Line, optional, Reference, Text, VariableName } from "./fields.js"
import { looksRandom } from "./secretShapes.js"

export const SecretManager = Schema.Literal("env_file", "1password", "vault", "doppler")

/** How often it should be changed. */
export const RotationPolicy = Schema.Struct({ interval: Interval })
export type RotationPolicy = typeof RotationPolicy.Type

const notAValue = (value: string) =>
  value.split(/[\s=,;]+/).every((word) => !looksRandom(word)) ||
  "looks like the secret itself; register its name and where it is kept, never its value"

export const entity = Entity.make({
  entity: "Secret",
  stream: "secret",
  fields: {
    name: VariableName.pipe(Schema.filter(notAValue)),
    serviceId: optional(Reference),
    serverId: optional(Reference),
    secretManager: optional(SecretManager),
    /** Where the manager keeps it: a vault path, an `op://` reference, the path of an env file. */
    path: optional(Line.pipe(Schema.filter(notAValue))),
    rotationPolicy: optional(RotationPolicy),
    notes: optional(Text.pipe(Schema.filter(notAValue))),
  },
  label: (secret) => secret.name,
})

export type Secret = Schema.Schema.Type<typeof entity.input>
export type SecretInput = Schema.Schema.Encoded<typeof entity.input>

/** It was changed where it is kept. */
export const SecretRotated = Event.define("SecretRotated", 1, Schema.Struct({ name: Schema.String, at: Instant }))

export const definitions = [...entity.definitions, SecretRotated]

export type SecretEvent = Entity.EntityEvent<"Secret", Secret> | Event.EventOf<typeof SecretRotated>
