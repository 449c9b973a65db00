/** Which file a log is in: what tells it from an older copy of itself that is put in its place. */
import type { Connection } from "./connection.js"

/** How far a file had come. Of two of one `file`, the older has the lower number. */
export interface Written {
  /** Which file it is, from when a program first worked on it; `""` where that is not known. */
  readonly file: string
  /** How often its end was moved. */
  readonly written: number
}

/** Whether one is an older copy of the other. */
export const isOlder = (one: Written, other: Written): boolean =>
  other.file !== "" && one.file === other.file && one.written < other.written

/** How far the file at the end of a connection has come, with what lies beside it. */
export const readWritten = (connection: Connection): Written => {
  try {
    // All of them: a statement that was not gone through to its end would go on seeing what it saw.
    const [[file, written] = ["", 0]] = connection.prepare("SELECT file, written FROM checkpoint").all()
    return { file, written }
  } catch {
    // It is of an older version, or there is nothing in it yet; or it is read while others write to it, past what they hold.
    return { file: "", written: 0 }
  }
}

/** What was the file `before` is one of its own from here on; nothing happens where it is another already. */
export const begin = (connection: Connection, before: string): void => {
  connection.prepare("UPDATE checkpoint SET file = lower(hex(randomblob(8))), written = 0 WHERE file = ?").run([before])
}
