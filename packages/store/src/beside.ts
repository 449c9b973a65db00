/** What lies beside a file of SQLite (`-wal`): whether it was written to that very file. Read together with another, neither is what it was. */
import { existsSync, realpathSync, statSync } from "node:fs"
import { StorageError } from "@context-engine/core/Errors"
import { type PageOne, pageOneOf } from "./pageOne.js"
import { isOlder, type Written } from "./thisFile.js"

/** Whether something lies beside a file that was not taken over into it. */
export const hasBeside = (path: string): boolean =>
  existsSync(path) && (statSync(`${realpathSync(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0

/** A file by itself, where something lies beside it; `undefined` where nothing does, or where it cannot be read. */
export const aloneIn = (path: string): PageOne | undefined => (hasBeside(path) ? pageOneOf(path) : undefined)

/** Whether what lies beside a file was written to another, as far as the file shows by itself: a backup is never in WAL mode. */
export const hasOthersWal = (path: string): boolean => aloneIn(path)?.isWal === false

/** What is known of a file beside which something lies. */
interface Known {
  /** How far this machine had seen it come by itself. */
  readonly seen: Written | undefined
  /** What it is with what lies beside it. */
  readonly together: Written | undefined
}

/**
 * Whether what lies beside a file was written to another, or to an older or a newer copy of the same. A copy that is worked on is a file of
 * its own. What goes on from where the file was seen is none of a file that has not come so far; who sets back both has nothing of that.
 */
export const isOthers = (alone: PageOne | undefined, { seen, together }: Known): boolean => {
  if (alone === undefined) return false
  if (!alone.isWal) return true
  const { come } = alone
  if (come === undefined || together === undefined) return false
  const isAnother = come.file !== "" && together.file !== "" && come.file !== together.file
  if (isAnother || isOlder(together, come)) return true
  return seen !== undefined && isOlder(come, seen) && (come.file === "" || isOlder(seen, together))
}

/** How far a file has come by itself, of which `together` was read with what lies beside it; `undefined` where that cannot be told now. */
export const writtenIn = (path: string, together: Written | undefined): Written | undefined =>
  hasBeside(path) ? pageOneOf(path)?.come : together

/** What is said where it was. */
export const othersWal = (path: string): StorageError =>
  new StorageError({
    reason: "corrupt",
    message: `${path} was put in the place of another file, whose last writes lie beside it still (${path}-wal) and are none of this one; nothing was read or written. End what has had the log open (context infra serve, sync watch); then put the copy that is wanted there by context infra restore <copy>, which keeps both, or move ${path}-wal away to go on with the file as it is`,
  })
