/** Machines that write to the log. Each signs what it appends; its public key is in the log, from its first append on. */
import * as Schema from "effect/Schema"
import * as Event from "../Event.js"

/** A machine's first event: its name, and the key that everything it appends is signed with. */
export const MachineJoined = Event.define(
  "MachineJoined",
  1,
  Schema.Struct({
    /** The first 16 hex digits of the SHA-256 of the public key. */
    machineId: Schema.String,
    name: Schema.String,
    /** Ed25519, SPKI in DER, base64. */
    publicKey: Schema.String,
  }),
)

export const definitions = [MachineJoined]

export type MachineEvent = Event.EventOf<typeof MachineJoined>
