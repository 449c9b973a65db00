/** Folds events into the tables of rows, within the transaction that appends them. */
import { UniqueViolation } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import type { Projection } from "@context-engine/core/Projection"
import { type Connection, codeOf } from "./connection.js"
import { type Table, tables } from "./tables.js"

const tableOf = new Map(tables.map((table) => [table.name, table]))

/** Folds the events into every view. Rows are read once, folded in memory, and written once, where they changed. */
export const writeRows = (
  connection: Connection,
  projections: ReadonlyArray<Projection>,
  events: ReadonlyArray<Recorded>,
): void => {
  for (const projection of projections) {
    const table = tableOf.get(projection.name)
    if (table === undefined) continue
    const changes = new Map<string, Change>()
    for (const event of events) {
      const key = projection.key(event)
      if (key === undefined) continue
      const change = changes.get(key) ?? before(connection, table, key, event)
      changes.set(key, { before: change.before, after: projection.evolve(change.after, event) })
    }
    // Deletions first: a row may take over the unique name of one that goes in the same append.
    for (const [key, change] of changes) if (change.after === undefined) deleteRow(connection, table, key, change)
    for (const [key, change] of changes) if (change.after !== undefined) writeRow(connection, table, key, change)
  }
}

/** What an append makes of a row. */
interface Change {
  readonly before: Row | undefined
  readonly after: Row | undefined
}

type Row = Record<string, unknown>

const before = (connection: Connection, table: Table, key: string, event: Recorded): Change => {
  // A row that bears the event's own id cannot have been there before it.
  const row = key === event.id ? undefined : readRow(connection, table, key)
  return { before: row, after: row }
}

const readRow = (connection: Connection, table: Table, id: string): Row | undefined => {
  const found = connection.prepare(table.select).get(id)
  return found === undefined ? undefined : JSON.parse(found[0])
}

const deleteRow = (connection: Connection, table: Table, id: string, change: Change): void => {
  if (change.before !== undefined) connection.prepare(table.delete).run(id)
}

const writeRow = (connection: Connection, table: Table, id: string, change: Change): void => {
  const after = change.after as Row
  try {
    if (change.before === undefined) {
      connection.prepare(table.insert(table.name)).run(...table.encode(after))
      return
    }
    const changed = table.columns.filter(({ field }) => after[field] !== change.before?.[field])
    if (changed.length === 0) return
    const statement = `UPDATE "${table.name}" SET ${changed.map(({ column }) => `"${column}" = ?`).join(", ")} WHERE id = ?`
    connection.prepare(statement).run(...changed.map((column) => column.encode(after[column.field])), id)
  } catch (error) {
    if (codeOf(error) !== "SQLITE_CONSTRAINT") throw error
    throw new UniqueViolation({ view: table.name, columns: clashing(error) })
  }
}

/** `UNIQUE constraint failed: servers.name` names the columns. */
const clashing = (error: unknown): ReadonlyArray<string> =>
  (/failed: (.*)$/.exec((error as Error).message)?.[1] ?? "").split(", ").map((column) => column.replace(/^.*\./, ""))
