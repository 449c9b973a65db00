/** Which file a log is in: what tells it from an older copy of itself that is put in its place. */
import type { Connection } from "./connection.js"

/** How far a file had come. Of two of one `file`, the older has the lower number. */
export interface Written {
  /** Which file it is, from when a program first worked on it; `""` where a program of an older version has worked on it last. */
  readonly file: string
  /** How often its end was moved. */
  readonly written: number
}

/** The same of a file with what lies beside it. */
export interface Together extends Written {
  /** What lies beside it was committed when the file itself had come so far at least. */
  readonly taken: number
}

/** What a file says that no program of this version has worked on yet. */
export const nothing: Together = { file: "", written: 0, taken: 0 }

/** Whether one is an older copy of the other. */
export const isOlder = (one: Written, other: Written): boolean =>
  other.file !== "" && (one.file === "" || (one.file === other.file && one.written < other.written))

/** Whether what was read of a file with what lies beside it builds upon more than the file by itself is. */
export const isBeyond = ({ file, taken }: Together, alone: Written): boolean =>
  file !== "" && taken > (alone.file === "" ? 0 : alone.written)

/** What a subquery does not find in the table it finds around it: a file of an older version says less. */
const columns = `(SELECT file FROM checkpoint) AS file, (SELECT written FROM checkpoint) AS written,
  (SELECT taken FROM checkpoint) AS taken`
const around = "FROM (SELECT '' AS file, 0 AS written, 0 AS taken)"

export const writtenQuery = `SELECT ${columns} ${around}`

/** How far the file at the end of a connection has come, with what it reads beside it; `undefined` where that cannot be told now. */
export const readWritten = (connection: Connection): Together | undefined =>
  writtenOf(() => connection.prepare(writtenQuery).get())

/** The same by the row that a query gives. */
export const writtenOf = (row: () => readonly [string, number, number]): Together | undefined => {
  try {
    const [file, written, taken] = row()
    return { file, written, taken }
  } catch {
    // Nothing was taken over into it yet, or it is read while others write to it, past what they hold.
    return undefined
  }
}

/** What was the file `before` is one of its own from here on; nothing happens where it is another already. */
export const begin = (connection: Connection, before: string): void => {
  // A copy of an older version is one of its own before it is brought up to date.
  const [hasTaken] = connection
    .prepare("SELECT count(*) FROM pragma_table_info('checkpoint') WHERE name = 'taken'")
    .get()
  const anew = `file = lower(hex(randomblob(8))), written = 1${hasTaken === 0 ? "" : ", taken = 0"}`
  connection.prepare(`UPDATE checkpoint SET ${anew} WHERE file = ?`).run([before])
}

/** Where a transaction is, within it. */
export interface Within {
  /** How far the file has come in it; `undefined` where that cannot be told now. */
  readonly come: Together | undefined
  /** How many rows its connection has ever changed. */
  readonly changes: number
}

/** Twice in every transaction: in one look where the file says all of it. */
const withinQuery = "SELECT file, written, taken, total_changes() FROM checkpoint"

export const readWithin = (connection: Connection): Within => {
  try {
    const [file, written, taken, changes] = connection.prepare(withinQuery).get()
    return { come: { file, written, taken }, changes }
  } catch {
    return { come: readWritten(connection), changes: connection.prepare("SELECT total_changes()").get()[0] }
  }
}

/**
 * To be called before something is committed: all that changes the file counts, so that what lies beside it always says of which file it
 * is. An append has counted itself. `isAllTaken`: whether nothing lay beside the file when the transaction began. Then all of what it was
 * was in the file, and on the disk: SQLite syncs that first. What is taken over while something lies there may be gone after a power cut.
 */
export const count = (
  connection: Connection,
  before: Within | undefined,
  isAllTaken: boolean,
): Together | undefined => {
  const { changes, come } = readWithin(connection)
  if (come === undefined || come.file === "" || changes === before?.changes) return come
  const written = come.written === before?.come?.written ? come.written + 1 : come.written
  const taken = isAllTaken && before?.come?.file === come.file ? before.come.written : come.taken
  if (written !== come.written || taken !== come.taken)
    connection.prepare("UPDATE checkpoint SET written = ?, taken = ?").run(written, taken)
  return { file: come.file, written, taken }
}
