/** What came from the shared log, judged before anything of it is folded, and what of it counts folded unit by unit where need be. */
import { UniqueViolation } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import { projections } from "@context-engine/core/views/all"
import { insertRows, readHead } from "../append.js"
import { type Connection, isDriverError } from "../connection.js"
import type { EventRow } from "../record.js"
import { writeRows } from "../rows.js"
import { Admission, type Judgement, type Known } from "../trust/Admission.js"
import { markBroken, markClockStep, markInert, notePending, writeLinks } from "../trust/verdicts.js"

/** Why nothing after a place can be judged. */
export interface Stop {
  readonly why: "root" | "newer"
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
}

/** Judges rows that follow what is known. Where it has to stop, what comes after is left out. */
export const judge = (known: Known, rows: ReadonlyArray<EventRow>): Judged => {
  const admission = new Admission(known)
  const units: Array<Judgement> = []
  let stop: Stop | undefined
  for (const unit of admission.units(rows)) {
    if (unit.judged.verdict === "stop") {
      stop = unit.judged
      break
    }
    units.push(unit)
  }
  const until = stop?.position ?? Number.MAX_SAFE_INTEGER
  return { rows: stop === undefined ? rows : rows.filter((row) => row[0] < until), units, stop, admission }
}

/** Remembers what the rule found: inert events, broken chains, and where each session ends now. */
export const remember = (connection: Connection, { admission, units }: Judged): void => {
  for (const { asksToBeRoot, broken, clockStep, judged, rows } of units) {
    const [position] = rows[0] as EventRow
    if (judged.verdict === "inert") for (const row of rows) markInert(connection, row[0], judged.reason)
    if (asksToBeRoot === true) notePending(connection, rows[0] as EventRow)
    if (broken !== undefined) markBroken(connection, position, broken)
    if (clockStep === true) markClockStep(connection, position)
  }
  writeLinks(connection, admission.links)
}

/** Takes judged rows into the log, and folds what counts. `keepAsOf`: rows are kept as of there, before they change. */
export const takeIncoming = (connection: Connection, judged: Judged, keepAsOf?: number): void => {
  insertRows(connection, judged.rows)
  remember(connection, judged)
  const units = judged.units.flatMap((unit) => (unit.judged.verdict === "counts" ? [unit.judged.events] : []))
  if (!attempt(connection, units.flat(), keepAsOf)) for (const unit of units) foldAlone(connection, unit, keepAsOf)
  connection.prepare("UPDATE checkpoint SET position = ?").run(readHead(connection).position)
}

/** A unit that cannot be folded, for it would break a unique key or is nonsense within its shape, is inert, too. */
const foldAlone = (connection: Connection, events: ReadonlyArray<Recorded>, keepAsOf: number | undefined): void => {
  if (attempt(connection, events, keepAsOf)) return
  for (const { position } of events) markInert(connection, position, clashes)
}

/** The reason of what only the rows could tell. */
export const clashes = "it cannot stand beside what is there"

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
