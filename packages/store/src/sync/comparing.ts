/** The events of the shared log beside those here: what of them is gone or is not what was written. */
import { count } from "@context-engine/core/words"
import type { EventRow, StoredRow } from "../record.js"
import { isTime } from "./answers.js"

/** An event of the shared log as it travels, with whether all of it does. */
export interface Found {
  readonly row: ReadonlyArray<unknown>
  readonly whole: boolean
}

/** An event that has to be written again. */
export interface Wrong {
  readonly position: number
  /** When it was recorded, as it is to be said there. */
  readonly recordedAt: string
  /** The hash of what stands in its place; `null` where nothing does. */
  readonly found: string | null
}

/** One whose time there is another than here, until one follows that has the same in both. */
interface Doubtful extends Omit<Wrong, "recordedAt"> {
  readonly theirs: string | null
  readonly ours: string
  readonly isWrong: boolean
}

/** What was found so far, by an order of events without a gap. */
export interface Comparison {
  readonly wrong: Array<Wrong>
  /** Where events of another history stand. */
  readonly others: Array<number>
  readonly doubtful: Array<Doubtful>
  /** When the last event was recorded. */
  last: string
}

export const nothingYet = (): Comparison => ({ wrong: [], others: [], doubtful: [], last: "" })

const time = 9

/** Holds the next event here against what stands in its place. `isOurs`: that is one of this log, though of another place. */
export const compare = (into: Comparison, own: StoredRow, found: Found | undefined, isOurs: boolean): void => {
  const [position] = own
  const isInPlace = found?.row[10] === own[10]
  if (found !== undefined && !isInPlace && !isOurs) {
    into.others.push(position)
    return
  }
  const isWrong = found === undefined || !isInPlace || !isSame(own, found)
  const theirs = isInPlace ? String(found?.row[time]) : null
  const hash = found === undefined ? null : String(found.row[10])
  if (theirs !== own[time]) {
    into.doubtful.push({ position, found: hash, theirs, ours: own[time], isWrong })
    return
  }
  settleTimes(into, theirs)
  if (isWrong) into.wrong.push({ position, found: hash, recordedAt: theirs })
  into.last = theirs
}

/** What counts for nothing may have been cut short on its way here. */
const isSame = (own: StoredRow, { row, whole }: Found): boolean =>
  (whole || own[14] !== null) && row.every((value, index) => index === time || value === own[index])

/**
 * When an event was recorded is the shared log's word, unless that is no time or not in the order of the others. To be called with
 * the latest that it can be after the last.
 */
export const settleTimes = (into: Comparison, latest: string): void => {
  for (const { found, isWrong, ours, position, theirs } of into.doubtful.splice(0)) {
    const isInOrder = isTime(theirs) && theirs >= into.last && theirs <= latest
    const recordedAt = isInOrder ? theirs : between(into.last, ours, latest)
    if (isWrong || !isInOrder) into.wrong.push({ position, found, recordedAt })
    into.last = recordedAt
  }
}

const between = (least: string, value: string, most: string): string => {
  const late = value < least ? least : value
  return late > most && most >= least ? most : late
}

/** An event of this log by its id, as far as it is known where else it stands. */
export const isMoved = (row: ReadonlyArray<unknown>, hashes: ReadonlyMap<string, string>): boolean =>
  hashes.get(String(row[1])) === row[10]

/** What was done, for a person. */
export const inWords = (written: ReadonlyArray<Wrong>): ReadonlyArray<string> => {
  const gone = written.filter(({ found }) => found === null).map(({ position }) => position)
  const changed = written.filter(({ found }) => found !== null).map(({ position }) => position)
  return [
    ...told(changed, "of the shared log was not what was written, and is again", "of the shared log were not what was written, and are again"), // biome-ignore format: one line
    ...told(gone, "that was gone is back", "that were gone are back"),
  ]
}

const told = (positions: ReadonlyArray<number>, one: string, many: string): ReadonlyArray<string> => {
  if (positions.length === 0) return []
  const what = positions.length === 1 ? `an event ${one}` : `${count(positions.length, "event")} ${many}`
  return [`${what}: ${placesOf(positions)}`]
}

/** At most so many positions are named. */
const named = 10

export const placesOf = (positions: ReadonlyArray<number>): string => {
  const first = positions.slice(0, named)
  const others = positions.length - first.length
  const last = others > 0 ? `${others} more` : String(first.pop())
  return first.length === 0 ? `position ${last}` : `positions ${first.join(", ")} and ${last}`
}

/** The events that are written again, as they are to stand there. */
export const asTheyWere = (wrong: ReadonlyArray<Wrong>, rows: ReadonlyArray<EventRow>): ReadonlyArray<EventRow> => {
  const times = new Map(wrong.map(({ position, recordedAt }) => [position, recordedAt]))
  return rows.map((row) => row.with(time, times.get(row[0]) ?? row[time]) as unknown as EventRow)
}
