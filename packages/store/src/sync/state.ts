/** What is remembered of the shared log between two contacts: one row, and a short history. */
import type { SyncEntry, SyncFailure } from "@context-engine/core/services/Sync"
import { isoTime } from "@context-engine/core/Time"
import { type Measured, measuredOf, skewNow } from "../clock.js"
import type { Connection } from "../connection.js"
import { rebuildLinks } from "../trust/links.js"
import { noteDisplaced } from "./lost.js"
import type { Place } from "./protocol.js"

export interface State {
  readonly logId: string | null
  /** The last event that is in both logs. */
  readonly confirmed: Place
  /** Up to here the log was shared, with this log or the one before: it stays where it is disconnected. */
  readonly recorded: number
  readonly remoteHead: number
  readonly rebases: number
  /** The shared log's clock less this machine's, in milliseconds; `null` where that is not known, or not any more. */
  readonly skew: number | null
  /** What it is known from. */
  readonly measured: Measured | null
  readonly contactedAt: string | null
  readonly error: (Failure & { readonly at: string }) | null
  readonly unknown: ReadonlyArray<string>
}

export const readState = (connection: Connection): State => {
  const [logId, position, hash, recorded, remoteHead, rebases, contactedAt, error, unknown, ...clock] = connection
    .prepare(
      `SELECT log_id, position, hash, recorded, remote_head, rebases, contacted_at, error, unknown,
       skew, measured_at, started_at FROM sync`,
    )
    .get()
  const measured = measuredOf(...(clock as [number | null, number | null, number | null]))
  return {
    logId,
    confirmed: { position, hash },
    recorded,
    remoteHead,
    rebases,
    skew: skewNow(measured),
    measured,
    contactedAt,
    error: error === null ? null : JSON.parse(error),
    unknown: JSON.parse(unknown),
  }
}

/** What time it is, where that can be told: a clock that is not the one that was compared with the shared log's may say anything. */
export const timeNow = ({ logId, skew }: State): string | undefined =>
  logId !== null && skew === null ? undefined : isoTime(Date.now() + (skew ?? 0))

export const setConfirmed = (connection: Connection, { hash, position }: Place): void => {
  connection
    .prepare("UPDATE sync SET position = ?1, hash = ?2, recorded = CASE WHEN log_id IS NULL THEN recorded ELSE ?1 END")
    .run(position, hash)
}

/** Binds this log to a shared one, from a place on that both have. `null` unbinds it. */
export const bind = (connection: Connection, logId: string | null, common: Place): void => {
  const before = readState(connection)
  // What has the same beginning is the same log, whatever it is called now.
  if (logId !== null && (common.position > 0 || logId === before.logId))
    noteDisplaced(connection, common.position, Math.max(before.confirmed.position, before.recorded))
  connection.prepare("UPDATE sync SET log_id = ?, error = NULL").run([logId])
  forgetRows(connection)
  // What waits already changed rows that nobody kept: until it is through, none of them is kept as of now.
  const [head] = connection.prepare("SELECT coalesce(max(position), 0) FROM events").get()
  if (head > common.position) connection.prepare("INSERT INTO sync_rows VALUES ('', '', 0, NULL)").run()
  setConfirmed(connection, common)
  rebuildLinks(connection, common.position)
}

/** To be called when nothing waits any more, or what was kept is of another time. */
export const forgetRows = (connection: Connection): void => {
  connection.prepare("DELETE FROM sync_rows").run()
}

export const countRebase = (connection: Connection): void => {
  connection.prepare("UPDATE sync SET rebases = rebases + 1").run()
}

export const setUnknown = (connection: Connection, unknown: ReadonlyArray<string>): void => {
  connection.prepare("UPDATE sync SET unknown = ?").run(JSON.stringify(unknown))
}

/** What one look at the shared log told: how far that was, when, and how wrong this machine's clock is, if that can be told. */
export interface Looked {
  readonly head: number
  readonly at: string
  readonly measured: Measured | null
}

export const noteContact = (connection: Connection, { at, head, measured }: Looked): void => {
  connection
    .prepare("UPDATE sync SET remote_head = ?, contacted_at = ?, skew = ?, measured_at = ?, started_at = ?")
    .run(head, at, ...columnsOf(measured))
}

/** The columns of `sync` for what was measured. */
export const columnsOf = (measured: Measured | null) =>
  [measured?.skew ?? null, measured?.at ?? null, measured?.startedAt ?? null] as const

/**
 * An exchange has gone through to its end. That the shared log is damaged where this machine does not look any more, only a look at
 * the whole of it, `healed`, can take back.
 */
export const noteSuccess = (connection: Connection, healed: boolean): void => {
  connection
    .prepare("UPDATE sync SET error = NULL WHERE error IS NOT NULL AND (? OR error ->> 'reason' <> 'damaged')")
    .run(healed ? 1 : 0)
}

export interface Failure {
  readonly reason: SyncFailure
  readonly message: string
  /** The shared log that the connection is to, where a log was put here to which that does not belong; `null` if it is not known. */
  readonly connection?: string | null | undefined
}

export const noteError = (connection: Connection, failure: Failure, at: string): void => {
  const { message, reason } = failure
  const before = readState(connection).error
  const of = failure.connection === undefined ? before?.connection : failure.connection
  connection.prepare("UPDATE sync SET error = ?").run(JSON.stringify({ reason, message, at, connection: of }))
  // Days without a network are one line, not thousands.
  if (before?.reason !== reason) note(connection, { at, what: "failed", detail: message })
}

const kept = 1_000

/** Adds a line to the history, of which the last thousand are kept. */
export const note = (connection: Connection, { at, detail, what }: SyncEntry): void => {
  connection.prepare("INSERT INTO sync_history (at, what, detail) VALUES (?, ?, ?)").run(at, what, detail)
  connection.prepare(`DELETE FROM sync_history WHERE number <= (SELECT max(number) FROM sync_history) - ${kept}`).run()
}

/** When something of a kind was last noted; `null` if it never was. */
export const lastOf = (connection: Connection, what: SyncEntry["what"]): string | null =>
  connection.prepare("SELECT at FROM sync_history WHERE what = ? ORDER BY number DESC LIMIT 1").get(what)?.[0] ?? null

export const readHistory = (connection: Connection, limit: number): ReadonlyArray<SyncEntry> =>
  connection
    .prepare("SELECT at, what, detail FROM sync_history ORDER BY number DESC LIMIT ?")
    .all(limit)
    .map(([at, what, detail]) => ({ at, what, detail }))
