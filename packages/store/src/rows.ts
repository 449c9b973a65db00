/** Folds events into the tables of rows, within the transaction that appends them. */
import { UniqueViolation } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import type { Projection } from "@context-engine/core/Projection"
import { type Connection, codeOf } from "./connection.js"
import { type Table, tables } from "./tables.js"

const tableOf = new Map(tables.map((table) => [table.name, table]))

/** Folds the events into every view. Rows are read once, folded in memory and written once. */
export const writeRows = (
  connection: Connection,
  projections: ReadonlyArray<Projection>,
  events: ReadonlyArray<Recorded>,
): void => {
  for (const projection of projections) {
    const table = tableOf.get(projection.name)
    if (table === undefined) continue
    const changed = new Map<string, object | undefined>()
    for (const event of events) {
      const key = projection.key(event)
      if (key === undefined) continue
      // A row that bears the event's own id cannot have been there before it.
      const row = changed.has(key) ? changed.get(key) : key === event.id ? undefined : readRow(connection, table, key)
      changed.set(key, projection.evolve(row, event))
    }
    // Deletions first: a row may take over the unique name of one that goes in the same append.
    for (const [key, row] of changed) {
      if (row === undefined) connection.prepare(`DELETE FROM "${table.name}" WHERE id = ?`).run(key)
    }
    for (const row of changed.values()) if (row !== undefined) writeRow(connection, table, row)
  }
}

/** Writes one row over whatever has its id. */
export const writeRow = (connection: Connection, table: Table, row: object, into = table.name): void => {
  try {
    connection.prepare(upsert(table, into)).run(...table.encode(row))
  } catch (error) {
    if (codeOf(error) !== "SQLITE_CONSTRAINT") throw error
    throw new UniqueViolation({ view: table.name, columns: clashing(error) })
  }
}

const readRow = (connection: Connection, table: Table, id: string): object | undefined => {
  const found = connection.prepare(`SELECT ${table.rowAsJson} FROM "${table.name}" WHERE id = ?`).get(id)
  return found === undefined ? undefined : JSON.parse(found[0])
}

const upsert = (table: Table, into: string): string => {
  const columns = table.columns.map(({ column }) => `"${column}"`)
  const updates = columns.slice(1).map((column) => `${column} = excluded.${column}`)
  return `INSERT INTO "${into}" (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})
    ON CONFLICT (id) DO UPDATE SET ${updates.join(", ")}`
}

/** `UNIQUE constraint failed: servers.name` names the columns. */
const clashing = (error: unknown): ReadonlyArray<string> =>
  (/failed: (.*)$/.exec((error as Error).message)?.[1] ?? "").split(", ").map((column) => column.replace(/^.*\./, ""))
