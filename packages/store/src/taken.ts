/** Whether the file took what was written: what somebody added to it, such as a trigger, may drop it without a word. */
import { StorageError } from "@context-engine/core/Errors"
import type { Connection } from "./connection.js"
import type { EventRow } from "./record.js"

/** After an insert of rows: the last of them is there as it was written. Throws `StorageError`, which undoes it. */
export const assertThere = (connection: Connection, rows: ReadonlyArray<EventRow>): void => {
  const last = rows[rows.length - 1]
  if (last === undefined) return
  const [hash] = connection.prepare("SELECT hash FROM events WHERE position = ?").get(last[0]) ?? []
  if (hash !== last[10]) throw dropped("events")
}

/** After a statement on one row of a view. Throws `StorageError`, which undoes it. */
export const assertWritten = (table: string, changes: number): void => {
  if (changes !== 1) throw dropped(table)
}

export const dropped = (table: string) =>
  new StorageError({
    reason: "corrupt",
    message: `the file did not take what was written to ${table}, so nothing was done: something in it, such as a trigger, drops it; context infra audit verify names it`,
  })
