/** What came from the shared log, judged before anything of it is folded, and what of it counts folded unit by unit where need be. */
import { UniqueViolation } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import { projections } from "@context-engine/core/views/all"
import { insertRows } from "../append.js"
import { type Connection, isDriverError } from "../connection.js"
import { clashes, type EventRow } from "../record.js"
import { writeRows } from "../rows.js"
import { endOtherChains, foldedTo, readHead } from "../standing.js"
import { assertThere } from "../taken.js"
import { Admission, type Judgement, type Known } from "../trust/Admission.js"
import { claimedKey, isRoot } from "../trust/chain.js"
import { writeLinks } from "../trust/links.js"
import {
  forgetAfter,
  knownAt,
  markBroken,
  markClockStep,
  markInert,
  notePending,
  partBefore,
} from "../trust/verdicts.js"
import { readState, setUnknown } from "./state.js"

/** Why nothing after a place can be judged. */
export interface Stop {
  readonly why: "root" | "newer" | "altered"
  readonly position: number
  readonly detail: string
  readonly row: EventRow
}

/** Rows in the order of the log, with what the rule says of them. */
export interface Judged {
  readonly rows: ReadonlyArray<EventRow>
  readonly units: ReadonlyArray<Judgement>
  readonly stop: Stop | undefined
  readonly admission: Admission
  /** So many of the rows were here before, as a part of a unit. */
  readonly begun: number
}

/** The chain does not hold: what was sent is not what was written. */
export class BrokenChain {
  constructor(
    readonly position: number,
    /** The key that signed it all the same. */
    readonly key?: string,
  ) {}
}

/**
 * Judges rows that follow what is known. Where it has to stop, what comes after is left out. Throws `BrokenChain` where an event
 * that would count is not chained as it was; one that counts for nothing may say any hash.
 */
export const judge = (known: Known, rows: ReadonlyArray<EventRow>): Judged => {
  const admission = new Admission(known)
  const units: Array<Judgement> = []
  let stop: Stop | undefined
  for (const unit of admission.units(rows)) {
    if (unit.judged.verdict === "stop") {
      stop = unit.judged
      break
    }
    const [wrong] = unit.unchained
    if (wrong !== undefined && unit.judged.verdict === "counts")
      throw new BrokenChain(wrong, claimedKey(unit.rows[0] as EventRow))
    units.push(unit)
  }
  const until = stop?.position ?? Number.MAX_SAFE_INTEGER
  return { rows: stop === undefined ? rows : rows.filter((row) => row[0] < until), units, stop, admission, begun: 0 }
}

/**
 * Judges rows that follow a position of this log. A server may show a part of a unit first, and its rest later: then the whole
 * of it is judged again, as it is by whoever sees all at once.
 */
export const judgeAfter = (
  connection: Connection,
  position: number,
  rows: ReadonlyArray<EventRow>,
  more: Partial<Known> = {},
): Judged => {
  const part = partBefore(connection, position, rows[0])
  const judged = judge({ ...knownAt(connection, position - part.length), ...more }, [...part, ...rows])
  return { ...judged, begun: part.length }
}

/** Remembers what the rule found: inert events, broken chains, types that are not known, and where each session ends now. */
export const remember = (connection: Connection, { admission, units }: Judged): void => {
  noteUnknown(connection, units)
  for (const { asksToBeRoot, broken, clockStep, judged, rows } of units) {
    const [position] = rows[0] as EventRow
    if (judged.verdict === "inert") for (const row of rows) markInert(connection, row[0], judged.reason)
    if (asksToBeRoot === true) notePending(connection, rows[0] as EventRow)
    if (broken !== undefined) markBroken(connection, position, broken)
    if (judged.verdict === "counts" && isRoot(rows[0] as EventRow)) endOtherChains(connection, (rows[0] as EventRow)[1])
    if (clockStep === true) markClockStep(connection, position)
  }
  writeLinks(connection, admission.links)
}

/**
 * Takes judged rows into the log, and folds what counts. `keepAsOf`: rows are kept as of there, before they change. `left`: what
 * is not to be folded although it counts, by its position, with the reason.
 */
export const takeIncoming = (
  connection: Connection,
  judged: Judged,
  keepAsOf?: number,
  left?: ReadonlyMap<number, string>,
): void => {
  if (judged.begun > 0) forgetAfter(connection, (judged.rows[0] as EventRow)[0] - 1)
  insertIncoming(connection, judged.rows.slice(judged.begun))
  assertThere(connection, judged.rows)
  foldJudged(connection, judged, keepAsOf, left)
  foldedTo(connection, readHead(connection).position)
}

/** A server whose guards were taken away may have what no log can: an event under an id that is there, or out of its stream's order. */
const insertIncoming = (connection: Connection, rows: ReadonlyArray<EventRow>): void => {
  try {
    insertRows(connection, rows)
  } catch (error) {
    if (!isDriverError(error) || !String(error).includes("append-only")) throw error
    const [last] = connection.prepare("SELECT max(position) FROM events").get()
    const unfit = rows.filter(([position]) => position > last).find((row) => !fits(connection, row))
    throw new BrokenChain(unfit?.[0] ?? last + 1)
  }
}

const fits = (connection: Connection, row: EventRow): boolean => {
  try {
    insertRows(connection, [row])
    return true
  } catch {
    return false
  }
}

/** Remembers what the rule found of rows that are in the log, and folds what counts of them. */
export const foldJudged = (
  connection: Connection,
  judged: Judged,
  keepAsOf?: number,
  left?: ReadonlyMap<number, string>,
): void => {
  remember(connection, judged)
  const counting = judged.units.flatMap((unit) => (unit.judged.verdict === "counts" ? [unit.judged.events] : []))
  const units = left === undefined ? counting : counting.filter((unit) => !leaveOut(connection, unit, left))
  for (const run of runsOf(units))
    if (!attempt(connection, run.flat(), keepAsOf)) for (const unit of run) foldAlone(connection, unit, keepAsOf)
}

type Unit = ReadonlyArray<Recorded>

const leaveOut = (connection: Connection, unit: Unit, left: ReadonlyMap<number, string>): boolean => {
  const reason = left.get(unit[0]?.position ?? 0)
  if (reason !== undefined) for (const { position } of unit) markInert(connection, position, reason)
  return reason !== undefined
}

/**
 * Units that are folded at once: what one of them gives up, another may not take without having been refused before. So whatever
 * may give up a name is folded alone, and the answer is the same wherever a page of the log ends.
 */
const runsOf = (units: ReadonlyArray<Unit>): ReadonlyArray<ReadonlyArray<Unit>> => {
  const runs: Array<Array<Unit>> = []
  let open = false
  for (const unit of units) {
    const givesUp = unit.some(({ type, version }) => /(Removed|Renamed|Updated)$/.test(type) || version > 1 && type.endsWith("Added")) // biome-ignore format: one question
    if (open && !givesUp) runs[runs.length - 1]?.push(unit)
    else runs.push([unit])
    open = !givesUp
  }
  return runs
}

/** A unit that cannot be folded, for it would break a unique key or is nonsense within its shape, is inert, too. */
const foldAlone = (connection: Connection, events: ReadonlyArray<Recorded>, keepAsOf: number | undefined): void => {
  if (attempt(connection, events, keepAsOf)) return
  for (const { position } of events) markInert(connection, position, clashes)
}

/** Folds all of the events or none. */
const attempt = (connection: Connection, events: ReadonlyArray<Recorded>, keepAsOf: number | undefined): boolean => {
  connection.prepare("SAVEPOINT fold").run()
  try {
    writeRows(connection, projections, events, { keepAsOf })
    connection.prepare("RELEASE fold").run()
    return true
  } catch (error) {
    connection.prepare("ROLLBACK TO fold").run()
    connection.prepare("RELEASE fold").run()
    // What the driver says is about the file; the rest is about the events.
    if (isDriverError(error) && !(error instanceof UniqueViolation)) throw error
    return false
  }
}

/** Types and shapes that only a newer version knows are remembered until this one does. */
const noteUnknown = (connection: Connection, units: ReadonlyArray<Judgement>): void => {
  const found = units.flatMap(({ judged }) => (judged.verdict === "counts" ? judged.unknown : []))
  if (found.length === 0) return
  const before = readState(connection).unknown
  const all = [...new Set([...before, ...found])]
  if (all.length > before.length) setUnknown(connection, all)
}
