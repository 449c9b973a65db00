/** Copies of databases as they lie there, with what lies beside them. */
import { rmSync, statSync } from "node:fs"
import { StorageError } from "@context-engine/core/Errors"
import { aloneIn, isOthers } from "./beside.js"
import { copyPrivately } from "./files.js"
import { hasWal, identify } from "./identify.js"
import { reading } from "./replacedLog.js"
import { readWritten } from "./thisFile.js"

/** What lies beside a database and belongs to it: what was not yet taken over, or is to be taken back. */
const companions = ["", "-wal", "-journal"]

/** Gives whether what lies beside the log was written to another file: then it is not copied. */
export const copyWhatIsThere = (path: string, there: string): boolean => {
  const alone = aloneIn(path)
  if (alone?.isWal !== false) {
    copyStill(path, there)
    if (alone === undefined || !isOthers(path, alone, reading(there, readWritten))) return false
    for (const end of companions) rmSync(there + end, { force: true })
  }
  copyStill(path, there, [""])
  return true
}

/** Copies a database that nobody writes to at this moment. Throws `StorageError`. */
export const copyStill = (backup: string, copy: string, ends = companions): void => {
  const kind = identify(backup)
  if (kind !== "log") {
    const message = kind === "missing" ? `there is no file ${backup}` : `${backup} is no log of context`
    throw new StorageError({ reason: kind === "foreign" ? "foreign" : "not-a-database", message })
  }
  const state = () =>
    ends.map((end) => {
      const found = statSync(backup + end, { throwIfNoEntry: false })
      return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeMs}`
    })
  const before = state()
  ends.forEach((end, index) => {
    if (before[index] !== "") copyPrivately(backup + end, copy + end)
  })
  if (state().join() === before.join()) {
    const wal = statSync(`${copy}-wal`, { throwIfNoEntry: false })?.size ?? 0
    if (wal > 0 && !hasWal(copy)) throw notItsOwn(backup)
    return
  }
  const message = `${backup} is being written at this moment; stop what writes to it, or copy it with context infra backup`
  throw new StorageError({ reason: "busy", message })
}

/** What lies beside a backup belongs to another state of it. */
export const notItsOwn = (backup: string) =>
  new StorageError({
    reason: "corrupt",
    message: `${backup} cannot be read together with ${backup}-wal, which lies beside it; if that belongs to another state of it, move it away and try again`,
  })
