/** What keeps this user from writing a log, and how a log is opened that may only be read here. */
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs"
import { userInfo } from "node:os"
import { dirname } from "node:path"
import { pathToFileURL } from "node:url"
import { StorageError } from "@context-engine/core/Errors"
import { word } from "@context-engine/core/Shell"
import { codeOf, NativeConnection } from "./connection.js"
import { hasOthersWal } from "./identify.js"

/** What may not be written, and by whom, with what mends it. */
export interface Obstacle {
  readonly found: string
  readonly fix: string
}

/** What keeps from writing the log at a path, which is there: the file, or the directory that SQLite needs beside it. */
export const obstacleTo = (path: string): Obstacle | undefined => {
  const file = realpathSync(path)
  return obstacle(file) ?? obstacle(dirname(file))
}

/** What keeps from making something at a path: the nearest of what is there. */
export const obstacleAbove = (path: string): Obstacle | undefined =>
  existsSync(path) || dirname(path) === path ? obstacle(path) : obstacleAbove(dirname(path))

/** Refuses what an obstacle keeps from being done. Throws `StorageError`. */
export const refuseObstacle = (found: Obstacle | undefined): void => {
  if (found === undefined) return
  throw new StorageError({ reason: "unavailable", message: `${found.found}; nothing was done. What mends it: ${found.fix}` }) // biome-ignore format: one line
}

/** The same for one file or directory. */
export const obstacle = (path: string): Obstacle | undefined => {
  try {
    accessSync(path, constants.W_OK)
    return undefined
  } catch (error) {
    return told(path, (error as NodeJS.ErrnoException).code)
  }
}

const told = (path: string, code: string | undefined): Obstacle => {
  if (code === "EROFS")
    return { found: `${path} is on a disk that is mounted to be read only`, fix: `mount it to be written: findmnt -T ${word(path)}` } // biome-ignore format: one line
  if (code === "EPERM")
    return { found: `${path} has a flag that keeps everybody from writing it`, fix: `chattr -i ${word(path)}` }
  const owner = statSync(path, { throwIfNoEntry: false })?.uid
  const found = `${path} may not be written by ${userName()}`
  return owner === process.geteuid?.()
    ? { found, fix: `chmod u+w ${word(path)}` }
    : { found: `${found}: it belongs to the user of the number ${owner}`, fix: `work as its owner, or let this user write ${path}` } // biome-ignore format: one line
}

/** A container may run under a number that has no name. */
const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    return `the user of the number ${process.geteuid?.()}`
  }
}

/** How a log is opened that can be read. */
export interface Way {
  /** What SQLite is given. */
  readonly name: string
  /** Whether what it is now is all that it can be: nothing can be put right in it, or brought up to date. */
  readonly onlyRead: boolean
}

/**
 * A log that is worked on needs files beside it even to be read, so that where none can be made it is opened as one that nobody changes.
 * Throws `StorageError` where some of it is in such a file, and is not read along, or where what such a file holds is of another log.
 */
export const wayTo = (path: string): Way => {
  if (hasOthersWal(path)) throw othersWal(path)
  if (obstacleTo(path) === undefined) return { name: path, onlyRead: false }
  const uri = `${pathToFileURL(path).href}?mode=ro`
  if (opens(uri)) return { name: path, onlyRead: true }
  const wal = `${realpathSync(path)}-wal`
  if ((statSync(wal, { throwIfNoEntry: false })?.size ?? 0) === 0) return { name: `${uri}&immutable=1`, onlyRead: true }
  const message = `${path}: what was written last is in ${wal} still, and cannot be read without writing beside it. ${obstacleTo(path)?.found}; copy both files to another place, and name the copy with --db`
  throw new StorageError({ reason: "unavailable", message })
}

const othersWal = (path: string): StorageError =>
  new StorageError({
    reason: "corrupt",
    message: `${path} was put in the place of another file, whose last writes lie beside it still (${path}-wal) and are none of this one; nothing was read or written. End what has had the log open (context infra serve, sync watch), then put the backup there by context infra restore <backup>, which keeps both`,
  })

const opens = (uri: string): boolean => {
  const connection = new NativeConnection(uri, 2_000, "")
  try {
    connection.prepare("SELECT count(*) FROM sqlite_schema").get()
    return true
  } catch (error) {
    // Any other trouble is told by who opens it to work on it.
    return !["SQLITE_READONLY", "SQLITE_CANTOPEN"].includes(codeOf(error))
  } finally {
    connection.close()
  }
}
