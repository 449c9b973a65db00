/** Folds events into the tables of rows, within the transaction that appends them. */
import { UniqueViolation } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import type { Projection } from "@context-engine/core/Projection"
import { type Connection, codeOf } from "./connection.js"
import type { HeadCache, Row } from "./HeadCache.js"
import { type Table, tables } from "./tables.js"
import { assertWritten } from "./taken.js"

const tableOf = new Map(tables.map((table) => [table.name, table]))

/** Where rows are written, and what is known of them already. */
export interface Folding {
  /** Names the doubles of the tables instead of the live ones. */
  readonly suffix?: string
  readonly cache?: HeadCache
  /**
   * The last event that all machines share: keeps what the rows were after it, for a rebase that takes what follows back. What
   * was changed since then was kept by the first change.
   */
  readonly keepAsOf?: number | undefined
}

/** Folds the events into every view. Rows are read once, folded in memory, and written once, where they changed. */
export const writeRows = (
  connection: Connection,
  projections: ReadonlyArray<Projection>,
  events: ReadonlyArray<Recorded>,
  { cache, keepAsOf, suffix = "" }: Folding = {},
): void => {
  const written = new Map<string, ReadonlyMap<string, Row | undefined>>()
  for (const projection of projections) {
    const table = tableOf.get(projection.name)
    if (table === undefined) continue
    const into = `${table.name}${suffix}`
    const changes = fold(connection, projection, table, into, events, cache)
    if (keepAsOf !== undefined) keep(connection, table, changes, keepAsOf)
    // Rows that go, or give up a unique value, make room first: another may take it in the same breath.
    for (const [key, change] of changes)
      if (givesUp(table, change)) assertWritten(table.name, connection.prepare(table.delete(into)).run(key).changes)
    for (const [key, change] of changes) if (change.after !== undefined) writeRow(connection, table, into, key, change)
    if (changes.size > 0) written.set(table.name, lasting(changes))
  }
  cache?.end(events[events.length - 1]?.hash ?? "", written)
}

/** Only the first of several changes finds the row as it is in the shared log. */
const keep = (connection: Connection, table: Table, changes: ReadonlyMap<string, Change>, position: number): void => {
  const insert = connection.prepare("INSERT OR IGNORE INTO sync_rows (view, id, position, row) VALUES (?, ?, ?, ?)")
  for (const [id, { before, once }] of changes) {
    if (!once) insert.run(table.name, id, position, before === undefined ? null : JSON.stringify(before))
  }
}

/** The rows that later events may change: not those that bear an event's own id. */
const lasting = (changes: ReadonlyMap<string, Change>): ReadonlyMap<string, Row | undefined> => {
  const rows = new Map<string, Row | undefined>()
  for (const [key, { after, once }] of changes) if (!once) rows.set(key, after)
  return rows
}

/** What an append makes of a row. `once`: it is an event's own. */
interface Change {
  readonly before: Row | undefined
  readonly after: Row | undefined
  readonly once: boolean
}

/** What the events make of the rows they touch. */
const fold = (
  connection: Connection,
  projection: Projection,
  table: Table,
  from: string,
  events: ReadonlyArray<Recorded>,
  cache: HeadCache | undefined,
): ReadonlyMap<string, Change> => {
  const changes = new Map<string, Change>()
  const touched: Array<readonly [key: string, event: Recorded]> = []
  const rows = new Map<string, Row | undefined>()
  const unknown: Array<string> = []
  for (const event of events) {
    const key = projection.key(event)
    if (key === undefined) continue
    touched.push([key, event])
    // A row that is the event's own cannot have been there before it.
    if (projection.own?.(event) === true || rows.has(key)) continue
    const known = cache?.get(table.name, key)
    rows.set(key, known)
    if (known === undefined) unknown.push(key)
  }
  for (const row of readRows(connection, table, from, unknown)) rows.set(row.id as string, row)
  for (const [key, event] of touched) {
    const before = rows.get(key)
    const change = changes.get(key)
    const after = projection.evolve(change === undefined ? before : change.after, event)
    // Most events tell nothing worth a row of the timeline.
    if (after === undefined && before === undefined && change === undefined) continue
    changes.set(key, { before, after, once: projection.own?.(event) === true && change?.once !== false })
  }
  return changes
}

const readRows = (
  connection: Connection,
  table: Table,
  from: string,
  ids: ReadonlyArray<string>,
): ReadonlyArray<Row> =>
  ids.length === 0 ? [] : JSON.parse(connection.prepare(table.select(from)).get(JSON.stringify(ids))[0])

/** Whether the row as it was must go: for good, or to come back with another unique value. */
const givesUp = (table: Table, { after, before }: Change): boolean =>
  before !== undefined && (after === undefined || table.keys.some((field) => after[field] !== before[field]))

const writeRow = (connection: Connection, table: Table, into: string, id: string, change: Change): void => {
  const after = change.after as Row
  try {
    if (change.once) {
      // Somebody may have given the event an id that another row has: that one stays.
      const { changes } = connection
        .prepare(`${table.insert(into)} ON CONFLICT (id) DO NOTHING`)
        .run(table.encode(after))
      if (changes !== 1)
        assertWritten(table.name, connection.prepare(`SELECT 1 FROM "${into}" WHERE id = ?`).all(id).length)
      return
    }
    if (change.before === undefined || givesUp(table, change)) {
      assertWritten(table.name, connection.prepare(table.insert(into)).run(table.encode(after)).changes)
      return
    }
    const changed = table.columns.filter(({ field }) => after[field] !== change.before?.[field])
    if (changed.length === 0) return
    const statement = `UPDATE "${into}" SET ${changed.map(({ column }) => `"${column}" = ?`).join(", ")} WHERE id = ?`
    const values = changed.map((column) => column.encode(after[column.field]))
    assertWritten(table.name, connection.prepare(statement).run(...values, id).changes)
  } catch (error) {
    if (codeOf(error) !== "SQLITE_CONSTRAINT") throw error
    throw new UniqueViolation({ view: table.name, columns: clashing(error) })
  }
}

/** `UNIQUE constraint failed: servers.name` names the columns. */
const clashing = (error: unknown): ReadonlyArray<string> =>
  (/failed: (.*)$/.exec((error as Error).message)?.[1] ?? "").split(", ").map((column) => column.replace(/^.*\./, ""))
