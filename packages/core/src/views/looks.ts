/**
 * Which of two looks at a host is the newer one. The log's order does not tell where machines looked while they were apart: who
 * shares last comes last there, also with the older look.
 */
import type { Recorded } from "../Event.js"

/** The look that a row shows. */
export interface Look {
  /** When it was taken, by the clock of who took it. ISO 8601 UTC. */
  readonly at: string
  /** Where the log has it. */
  readonly position: number
  /** The chain of units that it is part of. */
  readonly by: string
}

/** The look that an event tells of. */
export const lookOf = ({ meta, position }: Recorded, at: string): Look => ({
  at,
  position,
  by: meta.key === undefined ? meta.machine : `${meta.key} ${meta.session}`,
})

/**
 * Whether what an event tells of comes after a look: its writer took that one, or had it. Only where they were apart do their clocks
 * decide, so that a wrong one does so no longer than until they have met. Where its writer shared nothing, the log's order is all
 * there is.
 */
export const isAfter = (event: Recorded, at: string, look: Look | null): boolean =>
  look === null ||
  lookOf(event, at).by === look.by ||
  (event.meta.seen ?? look.position) >= look.position ||
  at >= look.at
