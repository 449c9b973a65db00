/** What lies beside a file of SQLite (`-wal`): whether it was written to that very file. Read together with another, neither is what it was. */
import { existsSync, realpathSync, statSync } from "node:fs"
import { StorageError } from "@context-engine/core/Errors"
import { type PageOne, pageOneOf } from "./pageOne.js"
import { isOlder, type Written } from "./thisFile.js"

/** A file by itself, where something lies beside it; `undefined` where nothing does, or where it cannot be read. */
export const aloneIn = (path: string): PageOne | undefined => (hasBeside(path) ? pageOneOf(path) : undefined)

const hasBeside = (path: string): boolean =>
  existsSync(path) && (statSync(`${realpathSync(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0

/**
 * Whether what lies beside a file was written to another. `seen`: how far the file had come when this machine saw it last; `together`: what
 * it is with what lies beside it. A backup is never in WAL mode, and a copy that is worked on is a file of its own.
 */
export const isOthers = (alone: PageOne | undefined, seen?: Written, together?: Written): boolean => {
  if (alone === undefined) return false
  const isAnother = together !== undefined && ![alone.file, together.file].includes("") && alone.file !== together.file
  return !alone.isWal || isAnother || (seen !== undefined && isOlder(alone, seen))
}

/** How far a file has come by itself, of which `together` was read with what lies beside it; `undefined` where that cannot be told now. */
export const writtenIn = (path: string, together: Written): Written | undefined => {
  const alone = hasBeside(path) ? (pageOneOf(path) ?? { file: "", written: 0 }) : together
  return alone.file === "" ? undefined : { file: alone.file, written: alone.written }
}

/** The same of a file that nobody has looked into yet, as far as it shows by itself. */
export const hasOthersWal = (path: string, seen?: Written): boolean => isOthers(aloneIn(path), seen)

/** What is said where it was. */
export const othersWal = (path: string): StorageError =>
  new StorageError({
    reason: "corrupt",
    message: `${path} was put in the place of another file, whose last writes lie beside it still (${path}-wal) and are none of this one; nothing was read or written. End what has had the log open (context infra serve, sync watch); then put the copy that is wanted there by context infra restore <copy>, which keeps both, or move ${path}-wal away to go on with the file as it is`,
  })
