/**
 * Makes all anew that a file holds beside its events: which of them count, where the sessions of machines end, and the rows. Of a
 * file that somebody else may have had in hand nothing but the events is believed, for only they are signed.
 */
import { machinesStream, membershipTypes, RootEstablished } from "@context-engine/core/domain/Machine"
import { StorageError } from "@context-engine/core/Errors"
import { projections } from "@context-engine/core/views/all"
import type { Measured } from "./clock.js"
import { type Connection, codeOf } from "./connection.js"
import { type KeptRoot, readKept } from "./memory/roots.js"
import { settle } from "./rebuild.js"
import { columns, decode, type EventRow, genesis } from "./record.js"
import { writeRows } from "./rows.js"
import type { Signer } from "./Signer.js"
import { indexes } from "./schema.js"
import { foldedTo, readHead, readShared } from "./standing.js"
import { BrokenChain, foldJudged, judgeAfter } from "./sync/judging.js"
import { addDisplaced } from "./sync/lost.js"
import { columnsOf, readState } from "./sync/state.js"
import { tables } from "./tables.js"
import { claimedKey, isRoot } from "./trust/chain.js"
import { acceptRoot, isAccepted, readDecided, readTurnedDown, turnDownRoots } from "./trust/decided.js"
import { acceptKept, acceptOwn, markClockSteps, pendingOf, readInert } from "./trust/verdicts.js"
import { readSetting } from "./verifySetting.js"

/** What is known otherwise than by the file. */
export interface Believed {
  /** Roots that a person on this machine has accepted. */
  readonly roots: ReadonlyArray<KeptRoot>
  /** Roots that nobody on this machine wants, by their events: none that begins the log is taken for the right one then. */
  readonly turnedDown: ReadonlyArray<string>
  /** This machine's key: a root that it began is the right one. */
  readonly signer: Signer | undefined
  /** How wrong this machine's clock is; `null` where that was not measured. A file may come from another machine. */
  readonly measured: Measured | null
}

const suffix = "__before"

const page = 2_000

/**
 * Within a transaction of a copy that nobody else uses. Gives how many rows were not what the events say. Throws `StorageError`
 * where the events themselves do not hold.
 */
export const restate = (connection: Connection, believed: Believed): number => {
  refuseCutOff(connection)
  settleState(connection, believed)
  const { confirmed } = readSetting(connection)
  const until = confirmed ?? readHead(connection).position
  const { confirmed: keepAsOf } = readShared(connection)
  begin(connection)
  turnDownRoots(connection, believed.turnedDown)
  acceptKept(connection, rootRows(connection), believed.roots)
  acceptOwn(connection, rootRows(connection), believed.signer)
  for (const rows of wholeRuns(connection, until)) {
    judgeAnew(connection, rows)
  }
  const waiting = rowsAfter(connection, until, -1)
  if (confirmed !== undefined) addDisplaced(connection, othersDecisions(waiting, believed.signer))
  markClockSteps(connection, waiting)
  foldWaiting(connection, waiting, keepAsOf)
  return end(connection)
}

/** How many rows are not what the events say, as the file itself sees its roots; nothing is changed. */
export const differingAsItIs = (connection: Connection): number => {
  connection.exec("SAVEPOINT as_it_is")
  try {
    const [roots, turnedDown] = [readKept(connection), readTurnedDown(connection)]
    return restate(connection, { roots, turnedDown, signer: undefined, measured: null })
  } finally {
    connection.exec("ROLLBACK TO as_it_is; RELEASE as_it_is")
  }
}

/**
 * Whether other roots are accepted here than the file says: then rows differ that were right where they were written. The first root of
 * a log is its root in any case.
 */
export const seesOtherRoots = (connection: Connection, { roots, signer }: Believed): boolean => {
  const rows = rootRows(connection)
  const idsOf = () =>
    readKept(connection)
      .map(({ eventId }) => eventId)
      .filter((id) => id !== rows[0]?.[1])
  const said = idsOf()
  connection.exec("SAVEPOINT roots")
  try {
    connection.exec("DELETE FROM roots; DELETE FROM inert")
    acceptKept(connection, rows, roots)
    acceptOwn(connection, rows, signer)
    return said.join() !== idsOf().join()
  } finally {
    connection.exec("ROLLBACK TO roots; RELEASE roots")
  }
}

/**
 * A log that was taken over from elsewhere, and has roots that this machine accepts: those that its person accepted before, and those
 * that its own key began. Within a transaction. All is judged anew where one of them counted for nothing.
 */
export const hear = (connection: Connection, { measured, roots, signer, turnedDown }: Believed): void => {
  const rows = rootRows(connection)
  acceptKept(connection, rows, roots)
  acceptOwn(connection, rows, signer)
  const [decided, inert] = [readDecided(connection), readInert(connection, 0)]
  const heard = rows.filter((row) => isAccepted(decided, row))
  if (!heard.some(([position]) => inert.has(position))) return
  restate(connection, { roots: heard.map(pendingOf), turnedDown, signer, measured })
}

/** What others decided about who may write came from the shared log, whatever a file says of how far it was read. */
const othersDecisions = (rows: ReadonlyArray<EventRow>, signer: Signer | undefined): ReadonlyArray<string> =>
  rows
    .filter((row) => row[2] === machinesStream && membershipTypes.has(row[4]) && claimedKey(row) !== signer?.id)
    .map((row) => row[1])

/** Rows that are ahead of the log: its end is missing, and what it said of them. */
const refuseCutOff = (connection: Connection): void => {
  const [folded] = connection.prepare("SELECT max(position) FROM checkpoint").get()
  const { position } = readHead(connection)
  if (folded <= position) return
  const message = `the rows are those of position ${folded}, and the log ends at ${position}: its end is missing`
  throw new StorageError({ reason: "corrupt", message })
}

/** What the file remembers of the shared log is taken as far as its own events bear it out; the next contact says the rest. */
const settleState = (connection: Connection, { measured }: Believed): void => {
  const { position: head } = readHead(connection)
  const { confirmed, recorded } = readState(connection)
  const [least, most] = [Math.min(confirmed.position, recorded), Math.max(confirmed.position, recorded)]
  if (least < 0 || most > head) {
    const message = `it says that ${least < 0 ? least : most} events of it are shared, and it has ${head}`
    throw new StorageError({ reason: "corrupt", message })
  }
  connection
    .prepare(
      `UPDATE sync SET hash = coalesce((SELECT hash FROM events WHERE events.position = sync.position), ?), remote_head = position,
       rebases = 0, skew = ?, measured_at = ?, started_at = ?, error = NULL, unknown = '[]',
       displaced = CASE WHEN json_valid(displaced) AND json_type(displaced) = 'array' THEN displaced ELSE '[]' END,
       contacted_at = CASE WHEN julianday(contacted_at) IS NOT NULL THEN contacted_at END`,
    )
    .run(genesis, ...columnsOf(measured))
}

const begin = (connection: Connection): void => {
  for (const [name] of connection
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    .all())
    if (indexes.includes(`CREATE INDEX ${name} ON`)) connection.exec(`DROP INDEX "${name}"`)
  for (const { create, name } of tables) {
    connection.exec(`ALTER TABLE "${name}" RENAME TO "${name}${suffix}"`)
    connection.exec(create(name))
  }
  for (const name of ["inert", "breaks", "clock_steps", "chains", "sync_rows"]) connection.exec(`DELETE FROM ${name}`)
  // Of another place with its key the machine knew that wrote it: this may be another one, or have another key by now.
  connection.exec("DELETE FROM sync_history WHERE what = 'cloned'")
  // Whose root is the right one a person says, and not the file: who asks to be one is in the events.
  connection.exec("DELETE FROM roots")
}

/** The first root is that of the log: whether that is the right one, who restores it compares. */
const judgeAnew = (connection: Connection, rows: ReadonlyArray<EventRow>): void => {
  const judged = judging(() => judgeAfter(connection, (rows[0] as EventRow)[0] - 1, rows, { acceptsFirst: true }))
  if (judged.stop !== undefined) throw unfit(judged.stop.position)
  for (const { judged: found, rows: unit } of judged.units) {
    const [first] = unit as [EventRow]
    if (found.verdict === "counts" && isRoot(first)) acceptRoot(connection, pendingOf(first))
  }
  foldJudged(connection, judged)
}

const judging = <A>(body: () => A): A => {
  try {
    return body()
  } catch (error) {
    throw error instanceof BrokenChain ? unfit(error.position) : error
  }
}

const unfit = (position: number): StorageError =>
  new StorageError({
    reason: "corrupt",
    message: `the event at position ${position} is not one that was written in this log`,
  })

/** What waits to be shared is this machine's own, and was decided here. */
const foldWaiting = (connection: Connection, rows: ReadonlyArray<EventRow>, keepAsOf: number | undefined): void => {
  try {
    writeRows(connection, projections, rows.map(decode), { keepAsOf })
  } catch (error) {
    throw codeOf(error) === "" && !(error instanceof StorageError) ? unfit(rows[0]?.[0] ?? 0) : error
  }
}

const end = (connection: Connection): number => {
  let differing = 0
  for (const table of tables) {
    differing += settle(connection, table, { now: table.name, before: `${table.name}${suffix}` }).different
    connection.exec(`DROP TABLE "${table.name}${suffix}"`)
  }
  connection.exec(indexes)
  foldedTo(connection, readHead(connection).position)
  return differing
}

const rootRows = (connection: Connection) =>
  connection
    .prepare(`SELECT ${columns} FROM events WHERE stream = ? AND type = ?`)
    .all(machinesStream, RootEstablished.type) as ReadonlyArray<EventRow>

const rowsAfter = (connection: Connection, after: number, limit: number, until = Number.MAX_SAFE_INTEGER) =>
  connection
    .prepare(`SELECT ${columns} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`)
    .all(after, until, limit) as ReadonlyArray<EventRow>

/** The rows up to a position, many at once, parted only where a signature ends. */
function* wholeRuns(connection: Connection, until: number): Generator<ReadonlyArray<EventRow>> {
  let held: ReadonlyArray<EventRow> = []
  for (let after = 0; ; ) {
    const next = rowsAfter(connection, after, page, until)
    held = [...held, ...next]
    const last = held[held.length - 1]
    if (next.length < page) {
      if (held.length > 0) yield held
      return
    }
    after = (last as EventRow)[0]
    const whole = last?.[11] === null ? held.length : held.findLastIndex((row) => row[11] !== last?.[11]) + 1
    if (whole > 0) yield held.slice(0, whole)
    held = held.slice(whole)
  }
}
