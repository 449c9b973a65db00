/** What the rule says of a unit: it counts, it counts for nothing, or nothing from there on can be judged. */
import { definitions } from "@context-engine/core/domain/Events"
import type { Recorded } from "@context-engine/core/Event"
import { decode, type EventRow, hashOf, matchesDigest } from "../record.js"

export type Judged =
  | { readonly verdict: "counts"; readonly events: ReadonlyArray<Recorded>; readonly unknown: ReadonlyArray<string> }
  /** `unproven`: nobody is known to have signed it as it stands, so that nothing is known of what it belongs to either. */
  | { readonly verdict: "inert"; readonly reason: string; readonly unproven?: true }
  /**
   * Nothing from here on can be judged: a person has to accept a root, a newer version knows what this says, or the data of what
   * counts is not what was written.
   */
  | {
      readonly verdict: "stop"
      readonly why: "root" | "newer" | "altered"
      readonly position: number
      readonly detail: string
      readonly row: EventRow
    }

export const inert = (reason: string): Judged => ({ verdict: "inert", reason })

export const unproven = (reason: string): Judged => ({ verdict: "inert", reason, unproven: true })

export const counts = (unit: ReadonlyArray<EventRow>): Judged => {
  const unknown = unit.filter((row) => !isKnown(row[4], row[5])).map((row) => `${row[4]}@${row[5]}`)
  return { verdict: "counts", events: unit.map(decode), unknown }
}

/** Whether this version knows a type of event in that shape. */
export const isKnown = (type: string, schema: number): boolean => (definitions.get(type)?.schema ?? 0) >= schema

/**
 * The chain and the signature cover the digest of an event's data. Where the data is another, whoever sent it changed it on the
 * way: others have what was written under the same hash, so it is not for this machine to say that it counts for nothing.
 */
export const alteredIn = (unit: ReadonlyArray<EventRow>): Judged | undefined => {
  const row = unit.find((one) => !matchesDigest(one))
  return row && stopAt(row)
}

/** The same of an event whose hash is another. */
export const unchainedAt = (before: string, row: EventRow): Judged | undefined =>
  wrongIn(before, [row]).length === 0 ? undefined : stopAt(row)

const stopAt = (row: EventRow): Judged => ({ verdict: "stop", why: "altered", position: row[0], detail: row[1], row })

/** The positions at which the hash is not that of the event and what precedes it. */
export const wrongIn = (before: string, rows: ReadonlyArray<EventRow>): ReadonlyArray<number> =>
  rows.flatMap((row, index) => (hashOf(rows[index - 1]?.[10] ?? before, row) === row[10] ? [] : [row[0]]))
