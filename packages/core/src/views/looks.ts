/**
 * Which of two looks at a host is the newer one. The log's order does not tell where machines looked while they were apart: who
 * shares last comes last there, also with the older look.
 */
import type { Recorded } from "../Event.js"

/** The look that a row shows. */
export interface Look {
  /** When it was taken, as far as that is known. ISO 8601 UTC. */
  readonly at: string
  /** Where the log has it. */
  readonly position: number
  /** The chain of units that it is part of. */
  readonly by: string
}

/** The look that an event tells of. It was taken when it was told, by a clock that is corrected by what is known of it. */
export const lookOf = ({ meta, occurredAt, position }: Recorded): Look => ({
  at: occurredAt,
  position,
  by: meta.key === undefined ? meta.machine : `${meta.key} ${meta.session}`,
})

/** The same of what may be told long after it was, by another: when it was, by its own word, unless that had not come yet. */
export const earlierLookOf = (event: Recorded<any>): Look => {
  const look = lookOf(event)
  return event.data.at < look.at ? { ...look, at: event.data.at } : look
}

/**
 * Whether what an event tells of comes after a look: its writer took that one, or had it. Only where they were apart do their clocks
 * decide, so that a wrong one does so no longer than until they have met. Where its writer shared nothing, the log's order is all
 * there is.
 */
export const isAfter = ({ meta }: Recorded, look: Look, before: Look | null): boolean =>
  before === null || look.by === before.by || (meta.seen ?? before.position) >= before.position || look.at >= before.at
