/** How a log is opened that may only be read here. */
import { realpathSync, statSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { StorageError } from "@context-engine/core/Errors"
import { aloneIn, hasBeside, othersWal } from "./beside.js"
import { codeOf, NativeConnection } from "./connection.js"
import { obstacleTo } from "./obstacle.js"
import type { PageOne } from "./pageOne.js"

/** How a log is opened that can be read. */
export interface Way {
  /** What SQLite is given. */
  readonly name: string
  /** Whether what it is now is all that it can be: nothing can be put right in it, or brought up to date. */
  readonly onlyRead: boolean
  /** Whether it is one that no program has worked on since it was copied, and stays so. */
  readonly isCopy: boolean
  /** Whether something lies beside it; and what the file is by itself then, where that can be read. */
  readonly hasBeside: boolean
  readonly alone: PageOne | undefined
}

/**
 * A log that is worked on needs files beside it even to be read, so that where none can be made it is opened as one that nobody changes.
 * Throws `StorageError` where some of it is in such a file, and is not read along, or where what such a file holds is of another file.
 */
export const wayTo = (path: string): Way => {
  const found = { hasBeside: hasBeside(path), alone: aloneIn(path) }
  const { alone } = found
  if (alone?.isWal === false) throw othersWal(path)
  if (obstacleTo(path) === undefined) return { name: path, onlyRead: false, isCopy: false, ...found }
  const uri = `${pathToFileURL(path).href}?mode=ro`
  const mode = modeOf(uri)
  if (mode !== undefined) return { name: path, onlyRead: true, isCopy: mode === "delete", ...found }
  const wal = `${realpathSync(path)}-wal`
  if ((statSync(wal, { throwIfNoEntry: false })?.size ?? 0) === 0)
    return { name: `${uri}&immutable=1`, onlyRead: true, isCopy: false, ...found }
  const message = `${path}: what was written last is in ${wal} still, and cannot be read without writing beside it. ${obstacleTo(path)?.found}; copy both files to another place, and name the copy with --db`
  throw new StorageError({ reason: "unavailable", message })
}

/** How its pages are written, where it can be read as it is. */
const modeOf = (uri: string): string | undefined => {
  const connection = new NativeConnection(uri, 2_000, "")
  try {
    connection.prepare("SELECT count(*) FROM sqlite_schema").get()
    return connection.prepare("PRAGMA journal_mode").get()[0]
  } catch (error) {
    // Any other trouble is told by who opens it to work on it.
    return ["SQLITE_READONLY", "SQLITE_CANTOPEN"].includes(codeOf(error)) ? undefined : ""
  } finally {
    connection.close()
  }
}
