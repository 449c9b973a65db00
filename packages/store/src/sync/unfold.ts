/** Takes the rows back to before some last events of the log, which are taken out of it already. */

import type { Recorded } from "@context-engine/core/Event"
import { projections } from "@context-engine/core/views/all"
import type { Connection } from "../connection.js"
import { columns, decode, type EventRow } from "../record.js"
import { writeRows } from "../rows.js"
import { tables } from "../tables.js"

/**
 * A row derives from one stream, so the rows that the events touched are thrown away and folded again from what is left of
 * those streams; all others are as they were.
 */
export const unfold = (connection: Connection, events: ReadonlyArray<Recorded>): void => {
  const streams = new Set<string>()
  const touched = projections.map((projection) => {
    const keys = new Set<string>()
    for (const event of events) {
      const key = projection.key(event)
      if (key === undefined) continue
      keys.add(key)
      // What bears the event's own id comes from no other event.
      if (key !== event.id) streams.add(event.stream)
    }
    return { projection, keys }
  })
  for (const { keys, projection } of touched) {
    const table = tables.find(({ name }) => name === projection.name)
    if (table === undefined || keys.size === 0) continue
    connection
      .prepare(`DELETE FROM "${table.name}" WHERE id IN (SELECT value FROM json_each(?))`)
      .run(JSON.stringify([...keys]))
  }
  const onlyThose = touched.map(({ keys, projection }) => ({
    ...projection,
    key: (event: Recorded) => {
      const key = projection.key(event)
      return key !== undefined && keys.has(key) ? key : undefined
    },
  }))
  const left = connection
    .prepare(`SELECT ${columns} FROM events WHERE stream IN (SELECT value FROM json_each(?)) ORDER BY position`)
    .all(JSON.stringify([...streams])) as ReadonlyArray<EventRow>
  writeRows(connection, onlyThose, left.map(decode))
}
