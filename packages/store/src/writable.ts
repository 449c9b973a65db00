/** How a log is opened that may only be read here. */
import { realpathSync, statSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { StorageError } from "@context-engine/core/Errors"
import { codeOf, NativeConnection } from "./connection.js"
import { hasOthersWal } from "./identify.js"
import { obstacleTo } from "./obstacle.js"

/** How a log is opened that can be read. */
export interface Way {
  /** What SQLite is given. */
  readonly name: string
  /** Whether what it is now is all that it can be: nothing can be put right in it, or brought up to date. */
  readonly onlyRead: boolean
  /** Whether it is one that no program has worked on since it was copied, and stays so. */
  readonly isCopy: boolean
}

/**
 * A log that is worked on needs files beside it even to be read, so that where none can be made it is opened as one that nobody changes.
 * Throws `StorageError` where some of it is in such a file, and is not read along, or where what such a file holds is of another log.
 */
export const wayTo = (path: string): Way => {
  if (hasOthersWal(path)) throw othersWal(path)
  if (obstacleTo(path) === undefined) return { name: path, onlyRead: false, isCopy: false }
  const uri = `${pathToFileURL(path).href}?mode=ro`
  const mode = modeOf(uri)
  if (mode !== undefined) return { name: path, onlyRead: true, isCopy: mode === "delete" }
  const wal = `${realpathSync(path)}-wal`
  if ((statSync(wal, { throwIfNoEntry: false })?.size ?? 0) === 0)
    return { name: `${uri}&immutable=1`, onlyRead: true, isCopy: false }
  const message = `${path}: what was written last is in ${wal} still, and cannot be read without writing beside it. ${obstacleTo(path)?.found}; copy both files to another place, and name the copy with --db`
  throw new StorageError({ reason: "unavailable", message })
}

const othersWal = (path: string): StorageError =>
  new StorageError({
    reason: "corrupt",
    message: `${path} was put in the place of another file, whose last writes lie beside it still (${path}-wal) and are none of this one; nothing was read or written. End what has had the log open (context infra serve, sync watch), then put the backup there by context infra restore <backup>, which keeps both`,
  })

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
