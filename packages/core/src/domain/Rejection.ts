/** Commands that were accepted on one machine and cannot stand in the log that all machines share. Nothing of them is lost. */
import * as Schema from "effect/Schema"
import * as Event from "../Event.js"

/** An event as its writer made it, without its place in the log. */
export const Original = Schema.Struct({
  id: Schema.String,
  stream: Schema.String,
  type: Schema.String,
  schema: Schema.Number,
  data: Schema.Unknown,
  meta: Schema.Unknown,
  occurredAt: Schema.String,
})
export type Original = typeof Original.Type

/**
 * A command was decided again on what others had done first. `refused`: it may not be done any more, for the reason given.
 * `moot`: someone else has done the same. `signature` is the writer's own, over `events`.
 */
export const CommandRejected = Event.define(
  "CommandRejected",
  1,
  Schema.Struct({
    commandId: Schema.String,
    outcome: Schema.Literal("refused", "moot"),
    reason: Schema.String,
    actor: Schema.String,
    machine: Schema.String,
    events: Schema.Array(Original),
    signature: Schema.NullOr(Schema.String),
  }),
)
export type CommandRejected = Event.EventOf<typeof CommandRejected>["data"]

/** A person dealt with a refused command: it was given again as `commandId`, or dropped. */
export const RejectionSettled = Event.define(
  "RejectionSettled",
  1,
  Schema.Struct({
    what: Schema.String,
    how: Schema.Literal("retried", "dropped"),
    commandId: Schema.NullOr(Schema.String),
  }),
)

/** The aggregate's streams: `rejection-<id of the first event that was refused>`. */
export const rejection = { name: "rejection" }

export const definitions = [CommandRejected, RejectionSettled]

export type RejectionEvent = Event.EventOf<typeof CommandRejected> | Event.EventOf<typeof RejectionSettled>
