/**
 * What is said to the shared log, in SQL. Everything is one batch, and so one round trip and one transaction there.
 *
 * An exchange pushes and learns at once: events are taken only if the shared log ends where the pusher believes it does, and
 * the answer holds what it has after that place.
 */
import { columns, type EventRow, genesis, mostMeta, mostRefusal } from "../record.js"
import { remoteSchema, remoteSchemaVersion, remoteUpgrade } from "../schema.js"

export interface Statement {
  readonly sql: string
  readonly args: ReadonlyArray<string | number | null>
}

/** The rows of one statement, each an array of its columns. */
export type Rows = ReadonlyArray<ReadonlyArray<unknown>>

/** An event's place in a log, and the hash there: equal places have equal histories. */
export interface Place {
  readonly position: number
  readonly hash: string
}

export interface Exchange {
  /** The last event that is known to be in the shared log. */
  readonly from: Place
  /** Where nothing is known of the shared log yet, nothing may be pushed. */
  readonly logId: string | null
  /** What follows `from` here. */
  readonly push: ReadonlyArray<EventRow>
  /** Keeps the times at which the events were first recorded: for events that the shared log had and lost. */
  readonly keepTimes: boolean
  /** At most so many events are pulled. */
  readonly limit: number
}

export interface Answer {
  readonly logId: string
  readonly schema: number
  readonly head: number
  /** The hash that the shared log has at `from`; `null` if it ends before. */
  readonly hashAtFrom: string | null
  readonly now: string
  /** What was pushed and is there now: its positions, with the times the shared log gave them. */
  readonly taken: ReadonlyArray<readonly [position: number, recordedAt: string]>
  /** What follows `from` there, or what was pushed. */
  readonly rows: ReadonlyArray<EventRow>
}

/** At most so many bytes of events travel at once, as JSON writes them: a server takes and gives a text of at most 5 MB. */
export const pageBytes = 4_000_000

/** The most bytes of one column that travel, but for data. Whoever holds the token may have put more there; no event of ours has. */
export const mostOf = (column: string): number => (column === "meta" ? mostMeta : bound)
const bound = 300

/** SQLite's own functions and drivers see of a text only what comes before a zero byte: two that differ would be one here. */
const fits = (column: string, most: number): string =>
  `length(CAST(${column} AS BLOB)) <= ${most} AND instr(CAST(${column} AS BLOB), x'00') = 0`
const within = (column: "meta" | "type" | "occurred_at" | "signature" | "salt" | "digest"): string =>
  `iif(${column} IS NULL OR ${fits(column, mostOf(column))}, ${column}, '')`

/** Data travels where JSON makes no more of it than an event may have. Control characters, which no JSON has, take six bytes each there. */
const mostOfAny = 800_000
const escaped = (char: string): string => `length(data) - length(replace(data, '${char}', ''))`
const data = `iif(${fits("data", mostOfAny)} OR (${fits("data", mostRefusal)}
  AND length(CAST(data AS BLOB)) + ${escaped('"')} + ${escaped("\\")} <= ${mostRefusal}
  AND data NOT GLOB '*[' || char(1) || '-' || char(31) || ']*'), data, '')`

/**
 * A name that the file here could not tell from another is replaced by that of its place, and so is one that looks like it: two
 * would be the same. The event counts for nothing anyhow.
 */
const isPlain = (column: string, most = bound): string =>
  `(${fits(column, most)} AND ${column} NOT GLOB '*[^ -~]*' AND ${column} NOT GLOB 'inert-*')`
export const named = (column: string): string => `iif(${isPlain(column)}, ${column}, 'inert-' || position)`

/** The hash as it is compared and gone on with: one that is none has the name of its place. */
export const hash = named("hash")

export const clock = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

/** A clock that somebody put far ahead is not gone on with. */
const sane = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 hour')"

/** A time as it is written here; NULL for what is none. */
const timeOf = (column: string): string => `strftime('%Y-%m-%dT%H:%M:%fZ', ${column})`
const isTime = (column: string): string => `${timeOf(column)} IS ${column}`

/** When the last event was recorded, if that is a time that can be. */
const lastRecorded = `coalesce((SELECT recorded_at FROM events WHERE ${isTime("recorded_at")} AND recorded_at <= ${sane} AND position > (SELECT max(position) FROM events) - 1000
  ORDER BY position DESC LIMIT 1), '')`

/** SQLite takes the rows out of one JSON text: a statement a page, not one an event. */
const insert = `INSERT INTO events (${columns})
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
  max(coalesce(value->>9, ${clock}), ${lastRecorded}),
  value->>10, value->>11, value->>12, value->>13
FROM json_each(?1)
WHERE (SELECT coalesce(max(position), 0) FROM events) = ?2
  AND coalesce((SELECT ${hash} FROM events WHERE position = ?2), '${genesis}') = ?3
  AND EXISTS (SELECT 1 FROM log WHERE log_id = ?4 AND schema <= ${remoteSchemaVersion})`

/** The name of the log; none where that is none that this program gives. */
export const logId = `iif(${isPlain("log_id", 200)}, log_id, '')`

const state = `SELECT ${logId}, schema, (SELECT coalesce(max(position), 0) FROM events),
  CASE ?1 WHEN 0 THEN '${genesis}' ELSE (SELECT ${hash} FROM events WHERE position = ?1) END, ${clock} FROM log`

const isThere = `EXISTS (SELECT 1 FROM events WHERE position = ?2 AND ${hash} = ?3)`

const taken = `SELECT position, coalesce(${timeOf("recorded_at")}, ${clock}) FROM events WHERE position > ?1 AND position <= ?2 AND ${isThere} ORDER BY position`

/** The largest whole number that every program can say. */
export const largest = Number.MAX_SAFE_INTEGER

/** What of an event travels: all of one of ours, and little of what cannot be one. */
const travels: Readonly<Record<string, string>> = {
  position: "position",
  id: named("id"),
  stream: named("stream"),
  version: `iif(${isPlain("stream")} AND version BETWEEN 1 AND ${largest}, version, 1)`,
  type: within("type"),
  schema: `iif(schema BETWEEN 1 AND ${largest}, schema, 1)`,
  data,
  meta: within("meta"),
  occurred_at: within("occurred_at"),
  recorded_at: named("recorded_at"),
  hash,
  signature: within("signature"),
  salt: within("salt"),
  digest: within("digest"),
}

export const bounded = Object.entries(travels)
  .map(([column, what]) => `${what} AS ${column}`)
  .join(", ")

/** Whether all of an event travels as it is. When it was recorded is of no account in this. */
export const isWhole = Object.entries(travels)
  .filter(([column]) => column !== "recorded_at")
  .map(([column, what]) => `${column} IS ${what}`)
  .join(" AND ")

/** As they are; or each text as its bytes, which can be told where they are no text. */
export const selected = (asBytes: boolean): string =>
  asBytes ? columns.split(", ").map((name) => (numbers.has(name) ? name : `CAST(${name} AS BLOB)`)).join(", ") : columns // biome-ignore format: one choice

const numbers: ReadonlySet<string> = new Set(["position", "version", "schema"])

/**
 * At least as many bytes as an event is in an answer. What is too long to travel is left out first: a server makes no text of
 * more than 5 MB.
 */
const asJson = `length(CAST(json_array(${columns
  .split(", ")
  .map((name) => (name === "data" ? data : `iif(length(CAST(${name} AS BLOB)) <= ${mostOf(name)}, ${name}, '')`))
  .map((text) => `CAST(${text} AS TEXT)`)
  .join(", ")}) AS BLOB))`

/**
 * Of the events for which `where` holds, as many of the first as travel at once; one in any case. Where a page ends is found
 * from lengths alone, so that SQLite does not write the texts aside.
 */
export const page = (what: string, bounded: string, where: string, limit = ""): string => `SELECT ${what} FROM (
  SELECT ${bounded} FROM events WHERE ${where} AND position <= (
    SELECT max(position) FROM (
      SELECT position, own, sum(own) OVER (ORDER BY position) AS size
      FROM (SELECT position, ${asJson} AS own FROM events WHERE ${where} ORDER BY position ${limit})
    ) WHERE size <= ${pageBytes} OR size = own
  )
) ORDER BY position`

const following = (asBytes: boolean): string =>
  page(selected(asBytes), bounded, `position > CASE WHEN ${isThere} THEN ?2 ELSE ?1 END`, "LIMIT ?4")

/** How many bytes an event is where it is sent. */
export const bytesOf = (row: EventRow): number => Buffer.byteLength(JSON.stringify(row)) + 1

/** As many of the first rows as travel at once; one in any case. */
export const firstPage = (rows: ReadonlyArray<EventRow>): ReadonlyArray<EventRow> => {
  let bytes = 0
  const over = rows.findIndex((row, index) => {
    bytes += bytesOf(row)
    return index > 0 && bytes > pageBytes
  })
  return over === -1 ? rows : rows.slice(0, over)
}

/** What is pushed, in texts that a server takes: each goes on from the one before. */
const pushing = ({ from, logId, push }: Exchange, rows: ReadonlyArray<EventRow>): ReadonlyArray<Statement> => {
  const statements: Array<Statement> = []
  let after = from
  for (let done = 0; done < rows.length; ) {
    const part = firstPage(rows.slice(done))
    statements.push({ sql: insert, args: [JSON.stringify(part), after.position, after.hash, logId] })
    done += part.length
    const [position, , , , , , , , , , hash] = push[done - 1] as EventRow
    after = { position, hash }
  }
  return statements
}

/**
 * `asBytes`: asks for the bytes of the texts of events. Somebody may have appended some that are no text, and a server cannot tell
 * them as one.
 */
export const exchangeStatements = (exchange: Exchange, asBytes = false): ReadonlyArray<Statement> => {
  const { from, keepTimes, limit, push } = exchange
  const last = push[push.length - 1]
  const to = last === undefined ? [from.position, from.hash] : [last[0], last[10]]
  const rows = keepTimes ? push : push.map((row) => row.with(9, null) as unknown as EventRow)
  return [
    ...pushing(exchange, rows),
    { sql: state, args: [from.position] },
    { sql: taken, args: [from.position, ...to] as Statement["args"] },
    { sql: following(asBytes), args: [from.position, ...to, limit] as Statement["args"] },
  ]
}

/** Makes the shared log, where there is nothing yet. */
export const createStatements = (logId: string): ReadonlyArray<Statement> => [
  ...remoteSchema.map((sql) => ({ sql, args: [] })),
  { sql: `INSERT INTO log VALUES (?1, ${remoteSchemaVersion}, ${clock})`, args: [logId] },
]

/** Brings a shared log of the first schema up to date; older versions then say that they have to be upgraded. */
export const upgradeStatements: ReadonlyArray<Statement> = remoteUpgrade.map((sql) => ({ sql, args: [] }))

/** How many tables there are, ours or others'. */
export const inspectStatement: Statement = {
  sql: "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'libsql\\_%' ESCAPE '\\'",
  args: [],
}

/** The log's name and length, and its hashes at some positions. */
export const surveyStatements = (positions: ReadonlyArray<number>): ReadonlyArray<Statement> => [
  { sql: state, args: [0] },
  {
    sql: `SELECT position, ${hash} FROM events WHERE position IN (SELECT value FROM json_each(?1))`,
    args: [JSON.stringify(positions)],
  },
]
