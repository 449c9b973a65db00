/**
 * Where a unit begins and ends among rows that bear one signature. Whoever can write to the shared log can put copies of a signature
 * before the unit that it is of; so each event of a unit says which of them it is, and what begins within another's claim is found.
 */
import type { EventRow } from "../record.js"
import { type Chain, chainOf } from "./chain.js"

/**
 * Older versions did not say it. Then it is tried where the unit begins, at so many of the first rows that bear its signature: a
 * number that every machine counts alike, for all begin to count where the run of the signature begins in the log.
 */
export const mostBeginnings = 64

/** Rows from one place on: a unit, or what is none and holds none that could begin within it. */
export interface Span {
  readonly size: number
  readonly isWhole: boolean
}

const none: Span = { size: 1, isWhole: false }

/** A row that is taken for itself. */
export const alone: Span = { size: 1, isWhole: true }

/** `chain` is what the row at `at` says; `end` is where the run of its signature ends, of which `before` rows precede it in the log. */
export const unitAt = (chain: Chain, rows: ReadonlyArray<EventRow>, at: number, end: number, before: number): Span => {
  if (chain.count === 1) return alone
  if (chain.index === undefined) {
    const isWhole = before < mostBeginnings && at + chain.count <= end
    return { size: isWhole ? chain.count : 1, isWhole }
  }
  return chain.index === 0 ? following(rows, at, end, chain) : none
}

/** As far as each says that it is the next one. */
const following = (rows: ReadonlyArray<EventRow>, at: number, end: number, { count }: Chain): Span => {
  let size = 1
  while (size < count && at + size < end && isAt(rows[at + size] as EventRow, size, count)) size += 1
  return { size, isWhole: size === count }
}

const isAt = (row: EventRow, index: number, count: number): boolean => {
  const chain = chainOf(row)
  return chain?.index === index && chain.count === count
}
