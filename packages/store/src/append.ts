/** One append, within a transaction: check, chain, insert, fold. Synchronous; what it throws undoes it. */
import { storedJson } from "@context-engine/core/CanonicalJson"
import { StorageError, VersionConflict } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import type { AppendOptions, NewEvent, StreamAppend } from "@context-engine/core/EventLog"
import { projections } from "@context-engine/core/views/all"
import type { Connection } from "./connection.js"
import type { HeadCache } from "./HeadCache.js"
import { columns, decode, type EventRow, genesis, hashOf } from "./record.js"
import { writeRows } from "./rows.js"

/** An event whose texts are made: what is signed and stored. */
export interface Sealed {
  readonly stream: string
  readonly event: NewEvent
  readonly data: string
  readonly meta: string
}

/** Serialises the events of an append, once, outside the lock. Events of one command share their meta. */
export const seal = (appends: ReadonlyArray<StreamAppend>): ReadonlyArray<Sealed> => {
  let last: NewEvent["meta"] | undefined
  let meta = ""
  return appends.flatMap(({ events, stream }) =>
    events.map((event) => {
      if (event.meta !== last) meta = storedJson(event.meta)
      last = event.meta
      return { stream, event, data: storedJson(event.data), meta }
    }),
  )
}

interface Head {
  readonly position: number
  readonly hash: string
  readonly recordedAt: string
}

/** The last event of the log; position 0 and the genesis hash where there is none. */
export const readHead = (connection: Connection): Head => {
  const row = connection.prepare("SELECT position, hash, recorded_at FROM events ORDER BY position DESC LIMIT 1").get()
  return row === undefined
    ? { position: 0, hash: genesis, recordedAt: "" }
    : { position: row[0], hash: row[1], recordedAt: row[2] }
}

/** What of this log all machines share, if they do and rows can be kept as of it, and how often its end was put after events of others. */
export const readShared = (
  connection: Connection,
): { readonly confirmed: number | undefined; readonly rebases: number } => {
  const [logId, position, rebases, unkept] = connection.prepare(sharedQuery).get()
  return { confirmed: logId === null || unkept === 1 ? undefined : position, rebases }
}

const sharedQuery = `SELECT log_id, position, rebases,
  EXISTS (SELECT 1 FROM sync_rows WHERE view = '' AND id = '') FROM sync`

/** Appends sealed events and folds them into the views. Made before (the answer was lost), it gives what there is. */
export const append = (
  connection: Connection,
  appends: ReadonlyArray<StreamAppend>,
  sealed: ReadonlyArray<Sealed>,
  signature: string | null,
  options: AppendOptions,
  cache: HeadCache,
): ReadonlyArray<Recorded> => {
  const known = alreadyThere(connection, sealed)
  if (known !== undefined) return known
  const head = readHead(connection)
  if (options.head !== undefined && options.head !== head.position) {
    throw new VersionConflict({ stream: "the log", expected: options.head, actual: head.position })
  }
  const { confirmed, rebases } = readShared(connection)
  if (options.rebases !== undefined && options.rebases !== rebases) {
    throw new VersionConflict({ stream: "the log", expected: options.rebases, actual: rebases })
  }
  cache.begin(head.hash)
  const versions = versionsOf(connection, appends, cache)
  const recorded = insert(connection, sealed, versions, head, signature)
  writeRows(connection, projections, recorded, { cache, keepAsOf: confirmed })
  cache.keepVersions(versions)
  const last = recorded[recorded.length - 1]
  if (last !== undefined) connection.prepare("UPDATE checkpoint SET position = ?").run(last.position)
  return recorded
}

/** The version each stream is at, where it is the one that was expected. */
const versionsOf = (
  connection: Connection,
  appends: ReadonlyArray<StreamAppend>,
  cache: HeadCache,
): Map<string, number> => {
  const versions = new Map<string, number>()
  const unknown = new Set<string>()
  for (const { stream } of appends) {
    const version = cache.versionOf(stream)
    if (version === undefined) unknown.add(stream)
    else versions.set(stream, version)
  }
  for (const [stream, version] of readVersions(connection, [...unknown])) versions.set(stream, version)
  const next = new Map(versions)
  for (const { events, expected, stream } of appends) {
    const version = next.get(stream) ?? 0
    if (expected !== "any" && expected !== version) throw new VersionConflict({ stream, expected, actual: version })
    next.set(stream, version + events.length)
  }
  return versions
}

/** The version each of some streams is at: 0 where there is none. */
export const readVersions = (
  connection: Connection,
  streams: ReadonlyArray<string>,
): ReadonlyArray<[string, number]> =>
  streams.length === 0 ? [] : connection.prepare(manyVersions).all(JSON.stringify(streams))

const manyVersions = `SELECT value, (SELECT coalesce(max(version), 0) FROM events WHERE stream = value) FROM json_each(?)`

const insert = (
  connection: Connection,
  sealed: ReadonlyArray<Sealed>,
  versions: Map<string, number>,
  head: Head,
  signature: string | null,
): ReadonlyArray<Recorded> => {
  const now = new Date().toISOString()
  // The clock may have gone back; `--at` needs times that never do.
  // biome-ignore lint/complexity/useMathMinMax: they are texts
  const recordedAt = now > head.recordedAt ? now : head.recordedAt
  let { hash, position } = head
  const rows: Array<EventRow> = []
  const recorded = sealed.map(({ data, event, meta, stream }): Recorded => {
    position += 1
    const version = (versions.get(stream) ?? 0) + 1
    versions.set(stream, version)
    const { id, occurredAt, schema, type } = event
    const row: Writable<EventRow> = [
      position,
      id,
      stream,
      version,
      type,
      schema,
      data,
      meta,
      occurredAt,
      recordedAt,
      "",
      signature,
    ]
    hash = hashOf(hash, row)
    row[10] = hash
    rows.push(row)
    // What is folded and given back is what is stored: a rebuild has nothing else to fold.
    return decode(row)
  })
  insertRows(connection, rows)
  return recorded
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** A statement of many rows costs less than many statements; the rest goes row by row. */
export const insertRows = (connection: Connection, rows: ReadonlyArray<EventRow>): void => {
  const many = 100
  const whole = rows.length - (rows.length % many)
  for (let i = 0; i < whole; i += many) {
    const values: Array<unknown> = []
    for (let n = i; n < i + many; n++) values.push(...(rows[n] as EventRow))
    connection.prepare(insertOf(many)).run(values)
  }
  for (const row of rows.slice(whole)) connection.prepare(insertOf(1)).run(row)
}

const insertOf = (count: number): string =>
  `INSERT INTO events (${columns}) VALUES ${Array(count).fill("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").join(", ")}`

/**
 * The events themselves, if this very append was made before. The ids of an append are made together, so the first tells
 * for all; an id with other content is an alarm.
 */
const alreadyThere = (connection: Connection, sealed: ReadonlyArray<Sealed>): ReadonlyArray<Recorded> | undefined => {
  const find = connection.prepare(`SELECT ${columns} FROM events WHERE id = ?`)
  const first = sealed[0] && (find.get(sealed[0].event.id) as EventRow | undefined)
  if (first === undefined) return undefined
  return sealed.map(({ data, event, stream }) => {
    const row = find.get(event.id) as EventRow | undefined
    if (row !== undefined && row[2] === stream && row[4] === event.type && row[6] === data) return decode(row)
    throw new StorageError({
      reason: "corrupt",
      message: `event ${event.id} is already in the log with other content: two writers made the same id`,
    })
  })
}
