/** What is asked and said of single events of the shared log, in SQL, where some of them are to be written again. */
import { columns, type EventRow } from "../record.js"
import { expectedSchema } from "../schema.js"
import type { Wrong } from "./comparing.js"
import { bounded, clock, hash, isWhole, largest, logId, named, page, type Statement, selected } from "./protocol.js"

/** A position that every program can say; 0 for any other. */
const place = `iif(events.position BETWEEN 1 AND ${largest}, events.position, 0)`

/** The name under which the log is kept, and the time there. */
export const nameStatement: Statement = { sql: `SELECT ${logId}, ${clock} FROM log LIMIT 2`, args: [] }

/** Where events of these hashes stand: position, id and hash of each. */
export const placesStatement = (hashes: ReadonlyArray<string>): Statement => ({
  sql: `SELECT ${place}, ${named("id")}, ${hash} FROM events WHERE ${hash} IN (SELECT value FROM json_each(?1))`,
  args: [JSON.stringify(hashes)],
})

/** How many events there are after a position and up to another, and as many of them as travel at once. */
export const windowStatements = (after: number, to: number, asBytes: boolean): ReadonlyArray<Statement> => [
  { sql: "SELECT count(*) FROM events WHERE position > ?1 AND position <= ?2", args: [after, to] },
  {
    sql: page(`${selected(asBytes)}, whole`, `${bounded}, ${isWhole} AS whole`, "position > ?1 AND position <= ?2"),
    args: [after, to],
  },
]

/**
 * What has the id, or the stream and version, of one of these and stands elsewhere: its position, that of the one whose they are,
 * its hash, and whether it is that one.
 */
export const holdersStatement = (rows: ReadonlyArray<EventRow>): Statement => ({
  sql: `SELECT ${place}, our.value->>0, ${hash}, events.id = our.value->>1 AND ${hash} = our.value->>4
FROM json_each(?1) AS our JOIN events
  ON events.id = our.value->>1 OR (events.stream = our.value->>2 AND events.version = our.value->>3)
WHERE events.position NOT IN (SELECT value->>0 FROM json_each(?1))`,
  args: [JSON.stringify(rows.map((row) => [row[0], row[1], row[2], row[3], row[10]]))],
})

/** What is written, and what makes room for it. */
export interface Rewrite {
  readonly logId: string
  readonly wrong: ReadonlyArray<Wrong>
  readonly rows: ReadonlyArray<EventRow>
  /** Of these events another copy stands elsewhere, which goes. */
  readonly moved: ReadonlyArray<EventRow>
  /** What stands there has an id or a stream that is not its own: it gets one of no meaning until it is written again itself. */
  readonly aside: ReadonlyArray<number>
  /** Part of a name that nothing has yet. */
  readonly unique: string
}

const guards = [...expectedSchema].filter(([name]) => name !== "events")

const isOurLog = (parameter: string): string => `EXISTS (SELECT 1 FROM log WHERE log_id = ${parameter})`

const takeAway = (key: "position" | "id"): string => `DELETE FROM events
WHERE ${key} IN (SELECT value->>0 FROM json_each(?1))
  AND ${hash} = (SELECT value->>1 FROM json_each(?1) AS seen WHERE seen.value->>0 = events.${key}) AND ${isOurLog("?2")}`

const setAside = `UPDATE events SET id = ?2 || position, stream = ?2 || position, version = 1
WHERE position IN (SELECT value FROM json_each(?1)) AND ${isOurLog("?3")}`

const putBack = `INSERT INTO events (${columns})
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9,
  value->>10, value->>11, value->>12, value->>13
FROM json_each(?1) AS our
WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.position = our.value->>0) AND ${isOurLog("?2")}`

const countBack = `SELECT count(*) FROM json_each(?1) AS our JOIN events
  ON events.position = our.value->>0 AND events.id = our.value->>1 AND events.hash = our.value->>2`

/** One transaction: without our guards events are written again as they were, and then the guards stand again. The last counts them. */
export const rewriteStatements = ({ aside, logId, moved, rows, unique, wrong }: Rewrite): ReadonlyArray<Statement> => {
  const seen = wrong.filter(({ found }) => found !== null).map(({ found, position }) => [position, found])
  return [
    ...guards.map(([name]) => ({ sql: `DROP TRIGGER IF EXISTS ${name}`, args: [] })),
    { sql: takeAway("position"), args: [JSON.stringify(seen), logId] },
    { sql: takeAway("id"), args: [JSON.stringify(moved.map((row) => [row[1], row[10]])), logId] },
    { sql: setAside, args: [JSON.stringify(aside), unique, logId] },
    { sql: putBack, args: [JSON.stringify(rows), logId] },
    ...guards.map(([, sql]) => ({ sql, args: [] })),
    { sql: countBack, args: [JSON.stringify(rows.map((row) => [row[0], row[1], row[10]]))] },
  ]
}
