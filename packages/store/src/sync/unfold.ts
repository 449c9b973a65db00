/** Takes the rows back to before some last events of the log, which are taken out of it already. */

import type { Recorded } from "@context-engine/core/Event"
import type { Projection } from "@context-engine/core/Projection"
import { projections } from "@context-engine/core/views/all"
import { deployments } from "@context-engine/core/views/deployments"
import { infraEvents } from "@context-engine/core/views/infraEvents"
import type { Connection } from "../connection.js"
import type { Row } from "../HeadCache.js"
import { decode, type StoredRow, stored } from "../record.js"
import { writeRows } from "../rows.js"
import { type Table, tables } from "../tables.js"

/** A row that the events touched. */
interface Touched {
  readonly projection: Projection
  readonly table: Table
  readonly id: string
  readonly stream: string
}

/** What was kept of a row: what it was after the event at a position. */
interface Kept extends Touched {
  readonly position: number
  row: Row | undefined
}

/**
 * Rows that were kept before they were changed come back from that, others by folding again, from its beginning, what may have a say
 * in them. All other rows are as they were.
 */
export const unfold = (connection: Connection, events: ReadonlyArray<Recorded>): void => {
  const touched = touchedBy(events)
  for (const one of sharedWithEntries(connection, events)) touched.set(`infra_events ${one.id}`, one)
  for (const { id, table } of touched.values()) connection.prepare(table.delete(table.name)).run(id)
  for (const event of events)
    connection.prepare("DELETE FROM infra_events WHERE id = ? AND source = 'log'").run(event.id)
  const [base] = connection.prepare("SELECT coalesce(max(position), 0) FROM events").get() as [number]
  const kept = [...touched.values()].flatMap((one) => keptOf(connection, one, base))
  restore(connection, kept)
  for (const { id, table } of kept) touched.delete(`${table.name} ${id}`)
  if (touched.size > 0) foldAgain(connection, touched)
}

/** What is an event's own comes from no other, and is simply gone. */
const touchedBy = (events: ReadonlyArray<Recorded>): Map<string, Touched> => {
  const touched = new Map<string, Touched>()
  for (const projection of projections) {
    const table = tableOf(projection)
    for (const event of events) {
      const id = projection.key(event)
      if (id === undefined || projection.own?.(event) === true) continue
      touched.set(`${table.name} ${id}`, { projection, table, id, stream: event.stream })
    }
  }
  return touched
}

const tableOf = (projection: Projection): Table => tables.find(({ name }) => name === projection.name) as Table

/** Somebody may have given an event the id of an entry that people wrote: that is there all the same. */
const sharedWithEntries = (connection: Connection, events: ReadonlyArray<Recorded>): ReadonlyArray<Touched> =>
  connection
    .prepare(
      "SELECT DISTINCT ids.value, stream FROM json_each(?) AS ids CROSS JOIN events ON stream = 'entry-' || ids.value",
    )
    .all(JSON.stringify(events.map(({ id }) => id)))
    .map(([id, stream]) => ({ projection: infraEvents, table: tableOf(infraEvents), id, stream }))

const keptOf = (connection: Connection, touched: Touched, base: number): ReadonlyArray<Kept> => {
  const found = connection
    .prepare("SELECT position, row FROM sync_rows WHERE view = ? AND id = ? AND position <= ?")
    .get(touched.table.name, touched.id, base)
  if (found === undefined) return []
  return [{ ...touched, position: found[0], row: found[1] === null ? undefined : JSON.parse(found[1]) }]
}

/** Folds into them what was confirmed since, in memory: a name may have passed from one to another meanwhile. */
const restore = (connection: Connection, kept: ReadonlyArray<Kept>): void => {
  const byKey = new Map(kept.map((one) => [`${one.table.name} ${one.id}`, one]))
  const since = kept.reduce((least, { position }) => Math.min(least, position), Number.MAX_SAFE_INTEGER)
  const rows = connection.prepare(`SELECT ${stored} FROM events WHERE position > ? ORDER BY position`).all(since)
  for (const event of (rows as ReadonlyArray<StoredRow>).map(decode)) {
    for (const projection of projections) {
      const one = byKey.get(`${projection.name} ${projection.key(event)}`)
      if (one !== undefined && event.position > one.position) one.row = projection.evolve(one.row, event)
    }
  }
  for (const { row, table } of kept) {
    if (row !== undefined) connection.prepare(table.insert(table.name)).run(table.encode(row))
  }
}

const foldAgain = (connection: Connection, touched: ReadonlyMap<string, Touched>): void => {
  const onlyThose = projections.map((projection) => ({
    ...projection,
    key: (event: Recorded) => {
      const id = projection.key(event)
      return touched.has(`${projection.name} ${id}`) ? id : undefined
    },
  }))
  const left = connection
    .prepare(sayInThem)
    .all(
      JSON.stringify([...touched.values()].map(({ stream }) => stream)),
      JSON.stringify(idsIn(touched, deployments)),
      JSON.stringify(idsIn(touched, infraEvents)),
    ) as ReadonlyArray<StoredRow>
  writeRows(connection, onlyThose, left.map(decode))
}

const idsIn = (touched: ReadonlyMap<string, Touched>, view: { readonly name: string }): ReadonlyArray<string> =>
  [...touched.values()].filter(({ table }) => table.name === view.name).map(({ id }) => id)

/**
 * A row derives from one stream, and from whatever bears its name beside that: another service may have begun a deployment of the same
 * id first, and an event may have the id of an entry. Which deployment an event names is not for SQL to read: of a member that is said
 * twice, or in escapes, it reads another.
 */
const sayInThem = `SELECT ${stored} FROM events WHERE position IN (
  SELECT position FROM events WHERE stream IN (SELECT value FROM json_each(?1))
  UNION SELECT position FROM events WHERE ?2 <> '[]' AND stream GLOB 'service-*'
    AND (data GLOB '*deploymentId*' OR instr(data, '\\') > 0)
  UNION SELECT position FROM events WHERE id IN (SELECT value FROM json_each(?3))
) ORDER BY position`
