/** Parts of a unit at the end of a log whose rest is not there. */
import type { Connection } from "../connection.js"
import { columns, type EventRow } from "../record.js"
import { readHead } from "../standing.js"
import { chainOf } from "./chain.js"
import { notWhole } from "./notWhole.js"
import { alone, unitAt } from "./unitAt.js"
import { markInert } from "./verdicts.js"

/**
 * Where the end of a log was cut off in the middle of a unit, its beginning counts for nothing, as it does by the rule for whoever reads
 * the log anew. Comes the rest of it again, the whole is judged.
 */
export const markHalves = (connection: Connection): void => {
  const rows = lastRun(connection)
  for (let at = 0; at < rows.length; ) {
    const chain = chainOf(rows[at] as EventRow)
    const { isWhole, size } = chain === undefined ? alone : unitAt(chain, rows, at, rows.length, 0)
    const half = isWhole ? [] : rows.slice(at, at + size)
    for (const [position] of half) if (!isInert(connection, position)) markInert(connection, position, notWhole)
    at += size
  }
}

/** The last rows of the log that bear one signature. */
const lastRun = (connection: Connection): ReadonlyArray<EventRow> => {
  const find = connection.prepare(`SELECT ${columns} FROM events WHERE position = ?`)
  const rows: Array<EventRow> = []
  for (let { position } = readHead(connection); ; position--) {
    const row = find.get(position) as EventRow | undefined
    if (row === undefined || row[11] === null || (rows.length > 0 && row[11] !== rows[0]?.[11])) return rows.reverse()
    rows.push(row)
  }
}

const isInert = (connection: Connection, position: number): boolean =>
  connection.prepare("SELECT 1 FROM inert WHERE position = ?").get(position) !== undefined
