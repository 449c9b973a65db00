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
    const rest = rows.slice(at + 1, at + chain.count)
    const isWhole = before < mostBeginnings && at + chain.count <= end && rest.every((row) => isOf(chain, row))
    return { size: isWhole ? chain.count : 1, isWhole }
  }
  return chain.index === 0 ? following(rows, at, end, chain) : none
}

/** As far as each says that it is the next one. */
const following = (rows: ReadonlyArray<EventRow>, at: number, end: number, chain: Chain): Span => {
  let size = 1
  while (size < chain.count && at + size < end && isOf({ ...chain, index: size }, rows[at + size] as EventRow))
    size += 1
  return { size, isWhole: size === chain.count }
}

/** Whether a row says the same of the key and the unit as its first one does: another's key nobody can name in it. */
const isOf = (chain: Chain, row: EventRow): boolean => {
  const said = chainOf(row)
  return said !== undefined && parts.every((part) => said[part] === chain[part])
}

const parts = ["key", "session", "number", "previous", "count", "index"] as const

/** Rows of one signature that follow each other. */
export interface Run {
  readonly signature: string | null
  readonly length: number
}

/** The run with one more row. */
export const after = ({ length, signature: last }: Run, signature: string | null): Run => ({
  signature,
  length: signature === last ? length + 1 : 1,
})
