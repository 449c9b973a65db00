/** The doubles of the tables of rows: made beside the live ones, filled from the log, compared, and put in their place. */
import { projections } from "@context-engine/core/views/all"
import type { Connection } from "./connection.js"
import { HeadCache } from "./HeadCache.js"
import { decode, type StoredRow, stored } from "./record.js"
import { writeRows } from "./rows.js"
import { indexes } from "./schema.js"
import { type Table, tables } from "./tables.js"
import { markHalves } from "./trust/halves.js"

/** How far the doubles are. */
export interface Doubles {
  position: number
  readonly cache: HeadCache
}

const suffix = "__new"

/** Makes empty doubles; those of an earlier rebuild that was cut off are thrown away. */
export const begin = (connection: Connection): Doubles => {
  drop(connection)
  markHalves(connection)
  for (const table of tables) connection.exec(table.create(`${table.name}${suffix}`))
  return { position: 0, cache: new HeadCache() }
}

/** Removes the doubles. */
export const drop = (connection: Connection): void => {
  for (const table of tables) connection.exec(`DROP TABLE IF EXISTS "${table.name}${suffix}"`)
}

/** Folds the next events, at most so many, into the doubles. */
export const catchUp = (connection: Connection, doubles: Doubles, limit: number): void => {
  const rows = connection
    .prepare(`SELECT ${stored} FROM events WHERE position > ? ORDER BY position LIMIT ?`)
    .all(doubles.position, limit) as ReadonlyArray<StoredRow>
  writeRows(connection, projections, rows.map(decode), { suffix, cache: doubles.cache })
  doubles.position = rows[rows.length - 1]?.[0] ?? doubles.position
}

/** Folds what is left, compares, and puts the doubles in the place of the live tables. */
export const swap = (connection: Connection, doubles: Doubles) => {
  catchUp(connection, doubles, Number.MAX_SAFE_INTEGER)
  let rows = 0
  let differing = 0
  for (const table of tables) {
    const names = { now: `${table.name}${suffix}`, before: table.name }
    const { count, different } = settle(connection, table, names)
    rows += count
    differing += different
    connection.exec(
      `DROP TABLE IF EXISTS "${table.name}"; ALTER TABLE "${table.name}${suffix}" RENAME TO "${table.name}"`,
    )
  }
  connection.exec(indexes)
  // Where the end of the log was cut off, that is all that tells of it.
  connection.prepare("UPDATE checkpoint SET position = max(position, ?)").run(doubles.position)
  return { events: doubles.position, rows, differing }
}

/** Compares a table's rows with those before it, and says that they are of this version. */
export const settle = (connection: Connection, table: Table, names: Names) => {
  const version = connection.prepare("SELECT version FROM projections WHERE name = ?").get(table.name)?.[0]
  const compared = compare(connection, table, version === table.version, names)
  connection.prepare("INSERT OR REPLACE INTO projections (name, version) VALUES (?, ?)").run(table.name, table.version)
  return compared
}

/** The tables in which the rows are now, and in which those are that they are compared with. */
interface Names {
  readonly now: string
  readonly before: string
}

/**
 * How many rows a table has now, and how many of them the one before has otherwise or not at all, or has beyond them. One of
 * another version has other columns: nothing can be said of it.
 */
const compare = (connection: Connection, table: Table, comparable: boolean, { before, now }: Names) => {
  const number = (sql: string): number => connection.prepare(sql).get()[0]
  const count = number(`SELECT count(*) FROM "${now}"`)
  if (!comparable) return { count, different: 0 }
  const rowsOf = (name: string) => `SELECT ${table.rowAsJson} AS row FROM "${name}"`
  const extra = number(`SELECT count(*) FROM "${before}" WHERE id NOT IN (SELECT id FROM "${now}")`)
  const changed = number(`SELECT count(*) FROM (${rowsOf(now)} EXCEPT ${rowsOf(before)})`)
  return { count, different: extra + changed }
}
