/** The `rejections` view: commands that met others' and were refused, or had nothing left to do. */
import { idOf } from "../Aggregate.js"
import type { CommandRejected, Original, RejectionEvent } from "../domain/Rejection.js"
import type { Recorded } from "../Event.js"
import type { Projection } from "../Projection.js"
import { what } from "./tell.js"

export interface RejectionRow {
  readonly id: string
  readonly commandId: string
  /** What was wanted, in words. */
  readonly what: string
  readonly reason: string
  /** `open` until a person deals with it; `moot` never needs anybody to. */
  readonly status: "open" | "moot" | "retried" | "dropped"
  readonly actor: string
  readonly machine: string
  /** When the command was given, and when it was refused. */
  readonly givenAt: string
  readonly rejectedAt: string
  readonly events: ReadonlyArray<Original>
}

export const rejections: Projection<RejectionRow, RejectionEvent> = {
  name: "rejections",
  version: 2,
  unique: [],
  key: (event) => (event.stream.startsWith("rejection-") ? idOf(event.stream) : undefined),
  evolve: (row, recorded) => {
    const event = recorded as RejectionEvent
    if (event.type === "CommandRejected") return row ?? rejected(recorded, event.data)
    return row !== undefined && event.type === "RejectionSettled" ? { ...row, status: event.data.how } : row
  },
}

const rejected = ({ occurredAt, stream }: Recorded, { events, outcome, ...data }: CommandRejected): RejectionRow => ({
  id: idOf(stream),
  commandId: data.commandId,
  what: what({ events }),
  reason: data.reason,
  status: outcome === "refused" ? "open" : "moot",
  actor: data.actor,
  machine: data.machine,
  givenAt: events[0]?.occurredAt ?? occurredAt,
  rejectedAt: occurredAt,
  events,
})
