/** Which file a log is in: what tells it from an older copy of itself that is put in its place. */
import type { Connection } from "./connection.js"

/** How far a file had come. Of two of one `file`, the older has the lower number. */
export interface Written {
  /** Which file it is, from when a program first worked on it; `""` where a program of an older version has worked on it last. */
  readonly file: string
  /** How often its end was moved. */
  readonly written: number
}

/** What a file says that no program of this version has worked on yet. */
export const nothing: Written = { file: "", written: 0 }

/** Whether one is an older copy of the other. */
export const isOlder = (one: Written, other: Written): boolean =>
  other.file !== "" && (one.file === "" || (one.file === other.file && one.written < other.written))

export const writtenQuery = "SELECT file, written FROM checkpoint"

/** How far the file at the end of a connection has come, with what it reads beside it; `undefined` where that cannot be told now. */
export const readWritten = (connection: Connection): Written | undefined =>
  writtenOf(() => connection.prepare(writtenQuery).get())

/** The same by the row that a query gives. */
export const writtenOf = (row: () => readonly [string, number] | undefined): Written | undefined => {
  try {
    const [file, written] = row() ?? ["", 0]
    return { file, written }
  } catch (error) {
    // Else nothing was taken over into it yet, or it is read while others write to it, past what they hold.
    return String(error).includes("no such column") ? nothing : undefined
  }
}

/** What was the file `before` is one of its own from here on; nothing happens where it is another already. */
export const begin = (connection: Connection, before: string): void => {
  connection.prepare("UPDATE checkpoint SET file = lower(hex(randomblob(8))), written = 0 WHERE file = ?").run([before])
}
