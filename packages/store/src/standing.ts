/** Where a file stands: the end of its log, how that stands to the shared one, and the chain that its own units go on with. */
import { measuredOf, skewNow } from "./clock.js"
import type { Connection } from "./connection.js"
import { genesis } from "./record.js"
import { dropped } from "./taken.js"

export interface Head {
  readonly position: number
  readonly hash: string
  readonly recordedAt: string
  /** When it happened, as its writer says. */
  readonly occurredAt: string
}

/** How this log stands to the shared one, as far as an append has to know. */
export interface Shared {
  /** What all machines share, if they do and rows can be kept as of it. */
  readonly confirmed: number | undefined
  /** How often this log's end was put after events of others. */
  readonly rebases: number
  /** The shared log's clock less this machine's, in milliseconds; 0 where that is not known, or not any more. */
  readonly skew: number
  /** When the last event that all machines share, and that counts, happened; `""` where there is none. */
  readonly since: string
  /** When that was recorded. */
  readonly recorded: string
  /** The last position that all machines share. */
  readonly position: number
  /** The last position that came from a shared log, also where the log is disconnected since. */
  readonly seen: number
  /** The moment that the file shows, where it is not the log but a replay of it. */
  readonly replayed: string | null
}

/** The chain that a file's own units go on with. `root` is `""` where the log has none. */
export interface Signing {
  readonly machine: string
  readonly root: string
  readonly session: string
  readonly number: number
  readonly unit: string
  readonly occurredAt: string
}

/** That chain, and the last unit of it that the shared log has: number 0 where it has none. */
export interface Own {
  readonly signing: Signing | undefined
  readonly link: { readonly number: number; readonly unit: string }
}

export interface Standing {
  readonly head: Head
  readonly shared: Shared
  readonly own: Own
  /** Whether there is an event with the id that was asked for. */
  readonly known: boolean
  /** The position whose rows the tables have: that of the head, unless the end was cut off. */
  readonly folded: number
}

const headQuery = "SELECT position, hash, recorded_at, occurred_at FROM events ORDER BY position DESC LIMIT 1"

const sharedColumns = `log_id, sync.position, rebases, skew,
  EXISTS (SELECT 1 FROM sync_rows WHERE view = '' AND id = ''), min(events.occurred_at, events.recorded_at),
  events.recorded_at, (SELECT moment FROM replayed), measured_at, started_at, sync.recorded`

const sharedFrom = `sync LEFT JOIN events ON log_id IS NOT NULL AND events.position = (
    SELECT shared.position FROM events AS shared WHERE shared.position <= sync.position
    AND NOT EXISTS (SELECT 1 FROM inert WHERE inert.position = shared.position) ORDER BY shared.position DESC LIMIT 1)`

const signingColumns = "own.machine, own.root, own.session, own.number, own.unit, own.occurred_at"

/** All that an append has to know, in one statement: each more costs a hundredth of an append. */
const standingQuery = `SELECT ${sharedColumns}, head.position, head.hash, head.recorded_at, head.occurred_at, ${signingColumns},
  coalesce(chains.number, 0), coalesce(chains.unit, own.unit), EXISTS (SELECT 1 FROM events WHERE id = ?), own.position
  FROM ${sharedFrom} LEFT JOIN (${headQuery}) AS head CROSS JOIN checkpoint AS own
  LEFT JOIN chains ON chains.machine = own.machine AND chains.session = own.session`

export const readStanding = (connection: Connection, id = ""): Standing => {
  const row: ReadonlyArray<any> = connection.prepare(standingQuery).get(id)
  const [number, unit, known, folded] = row.slice(21)
  return {
    shared: sharedOf(row),
    head: headOf(row[11] === null ? undefined : row.slice(11, 15)),
    own: { signing: signingOf(row.slice(15, 21)), link: { number, unit } },
    known: known === 1,
    folded,
  }
}

/** The last event of the log; position 0 and the genesis hash where there is none. */
export const readHead = (connection: Connection): Head => headOf(connection.prepare(headQuery).get())

/** The hash of the event at a position, if there is one. */
export const hashAt = (connection: Connection, position: number): string | undefined =>
  connection.prepare("SELECT hash FROM events WHERE position = ?").get(position)?.[0]

export const readShared = (connection: Connection): Shared =>
  sharedOf(connection.prepare(`SELECT ${sharedColumns} FROM ${sharedFrom}`).get())

export const readSigning = (connection: Connection): Signing | undefined =>
  signingOf(connection.prepare(`SELECT ${signingColumns} FROM checkpoint AS own`).get())

const headOf = (row: ReadonlyArray<any> | undefined): Head =>
  row === undefined
    ? { position: 0, hash: genesis, recordedAt: "", occurredAt: "" }
    : { position: row[0], hash: row[1], recordedAt: row[2], occurredAt: row[3] }

const sharedOf = ([
  logId,
  position,
  rebases,
  skew,
  unkept,
  since,
  recorded,
  replayed,
  measuredAt,
  startedAt,
  shared,
]: ReadonlyArray<any>): Shared => ({
  confirmed: logId === null || unkept === 1 ? undefined : position,
  rebases,
  skew: (logId !== null && skewNow(measuredOf(skew, measuredAt, startedAt))) || 0,
  since: since ?? "",
  recorded: recorded ?? "",
  position,
  seen: shared,
  replayed,
})

const signingOf = ([machine, root, session, number, unit, occurredAt]: ReadonlyArray<any>): Signing | undefined =>
  machine === null || session === null ? undefined : { machine, root, session, number, unit, occurredAt }

/** The chain that this file's own units go on with from now on. */
export const writeSigning = (connection: Connection, signing: Signing): void => {
  connection.prepare(`UPDATE checkpoint SET ${signingSet}`).run(...valuesOf(signing))
}

/** What this file signs from here on is signed under that root, and so in another chain than before. */
export const endOtherChains = (connection: Connection, root: string): void => {
  connection.prepare("UPDATE checkpoint SET session = NULL WHERE root <> ?").run(root)
}

/** What this file signs from here on is a chain of its own: its log may have gone on elsewhere. `machine` is the key that has it now. */
export const endChain = (connection: Connection, machine: string | null): void => {
  connection.prepare("UPDATE checkpoint SET machine = ?, session = NULL").run([machine])
}

/** What this file signs from here on is a chain of its own, for the log lacks some of the one that it had. */
export const endSession = (connection: Connection): void => {
  connection.prepare("UPDATE checkpoint SET session = NULL").run()
}

/** The key that last signed in this file, or that has had it since; `undefined` where none has. */
export const readMachine = (connection: Connection): string | undefined =>
  connection.prepare("SELECT machine FROM checkpoint").get()?.[0] ?? undefined

/** The rows are those of the log up to there. */
export const foldedTo = (connection: Connection, position: number): void => {
  connection.prepare("UPDATE checkpoint SET position = ?").run(position)
}

const signingSet = "machine = ?, root = ?, session = ?, number = ?, unit = ?, occurred_at = ?"

const valuesOf = ({ machine, number, occurredAt, root, session, unit }: Signing) =>
  [machine, root, session, number, unit, occurredAt] as const

/**
 * Where a file stands after an append: what is folded, and the chain, if the append was signed. Throws `StorageError`, which
 * undoes it, where the last event is not there as it was written.
 */
export const advance = (
  connection: Connection,
  last: { readonly position: number; readonly hash: string },
  signing: Signing | undefined,
): void => {
  const place = "written = written + 1, position = ?"
  const set = signing === undefined ? place : `${place}, ${signingSet}`
  const values = signing === undefined ? [] : valuesOf(signing)
  const statement = connection.prepare(`UPDATE checkpoint SET ${set} WHERE ${isThere}`)
  const { changes } = statement.run(last.position, ...values, last.position, last.hash)
  if (changes !== 1) throw dropped("events")
}

/** One statement with the rest: to read it back in another would cost a hundredth of an append. */
const isThere = "EXISTS (SELECT 1 FROM events WHERE position = ? AND hash = ?)"
