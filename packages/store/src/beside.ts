/** What lies beside a file of SQLite (`-wal`): whether it was written to that very file. Read together with another, neither is what it was. */
import { existsSync, realpathSync, statSync } from "node:fs"
import { StorageError } from "@context-engine/core/Errors"
import { type PageOne, pageOneOf } from "./pageOne.js"
import { isBeyond, isOlder, type Together, type Written } from "./thisFile.js"

/** Whether something lies beside a file that was not taken over into it. */
export const hasBeside = (path: string): boolean =>
  existsSync(path) && (statSync(`${realpathSync(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0

/** A file by itself, where something lies beside it; `undefined` where nothing does, or where it cannot be read. */
export const aloneIn = (path: string): PageOne | undefined => (hasBeside(path) ? pageOneOf(path) : undefined)

/** Whether what lies beside a file was written to another, as far as the file shows by itself: a backup is never in WAL mode. */
export const hasOthersWal = (path: string): boolean => aloneIn(path)?.isWal === false

/**
 * Whether what lies beside a file was written to another, or to an older or a newer copy of the same. A copy that is worked on is a file of
 * its own. `alone` was read before `together`; both were meanwhile written to where others are at work, so that it is asked once more.
 */
export const isOthers = (path: string, alone: PageOne | undefined, together: Together | undefined): boolean =>
  differ(alone, together) && differ(aloneIn(path), together)

const differ = (alone: PageOne | undefined, together: Together | undefined): boolean => {
  if (alone === undefined) return false
  if (!alone.isWal) return true
  const { come } = alone
  if (come === undefined || together === undefined) return false
  const isAnother = come.file !== "" && together.file !== "" && come.file !== together.file
  return isAnother || isOlder(together, come) || isBeyond(together, come)
}

/** The same of a copy from before files said which they are: this machine had seen more of it. */
export const isFromBefore = (path: string, together: Together, seen: Written | undefined): boolean =>
  together.file === "" && seen !== undefined && aloneIn(path)?.come?.file === ""

/** Whether that is why what is there cannot be read together: the file has not come as far as this machine had `seen` it. */
export const isOthersAlone = (alone: PageOne | undefined, seen: Written | undefined): boolean =>
  alone?.come !== undefined && seen !== undefined && isOlder(alone.come, seen)

/** How far a file has come by itself, of which `together` was read with what lies beside it; `undefined` where that cannot be told now. */
export const writtenIn = (path: string, together: Written | undefined): Written | undefined =>
  hasBeside(path) ? pageOneOf(path)?.come : together

/** What is said where it was. */
export const othersWal = (path: string): StorageError =>
  new StorageError({
    reason: "corrupt",
    message: `${path} was put in the place of another file, whose last writes lie beside it still (${path}-wal) and are none of this one; nothing was read or written. End what has had the log open (context infra serve, sync watch); then put the copy that is wanted there by context infra restore <copy>, which keeps both, or move ${path}-wal away to go on with the file as it is`,
  })
