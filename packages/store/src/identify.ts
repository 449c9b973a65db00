/**
 * What lies at a path, told without changing it or anything beside it: nothing but a log of ours, or a file that is being made
 * one, is ever opened to be written.
 */
import { closeSync, lstatSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { StorageError } from "@context-engine/core/Errors"
import { codeOf, NativeConnection, refuseEmptied, storageError } from "./connection.js"
import { makeFile } from "./files.js"
import { refuseMounted } from "./mounted.js"
import { applicationId } from "./schema.js"

/**
 * `beginning`: an empty file or database for its owner alone, as a process leaves it that was killed while it made a log.
 * `special`: a directory, a device, a pipe, a socket.
 */
export type Kind = "missing" | "log" | "beginning" | "foreign" | "not-a-database" | "special"

/** Throws `StorageError` where that cannot be seen. */
export const identify = (path: string): Kind => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return "missing"
  if (!found.isFile()) return "special"
  const isOurs = (found.mode & 0o077) === 0 && found.uid === (process.geteuid?.() ?? found.uid)
  const unfinished: Kind = isOurs ? "beginning" : "foreign"
  if (found.size === 0) return unfinished
  const inFile = lookIntoFile(path)
  // All that was ever written may be in the file beside it still.
  const kind = inFile === "log" || inFile === "not-a-database" ? inFile : (lookIntoWal(`${path}-wal`) ?? inFile)
  return kind === "empty" ? unfinished : kind
}

type Content = "log" | "empty" | "foreign" | "not-a-database"

/**
 * SQLite itself looks, and takes no lock: were the file opened and closed past it, the operating system would take away the
 * locks that this process has on it (https://www.sqlite.org/howtocorrupt.html, section 2.2).
 */
const lookIntoFile = (path: string): Content => {
  const connection = new NativeConnection(`${pathToFileURL(path).href}?mode=ro&immutable=1`, 0, "")
  try {
    const [application] = connection.prepare("PRAGMA application_id").get()
    if (application === applicationId) return "log"
    const [objects] = connection.prepare("SELECT count(*) FROM sqlite_schema").get()
    return objects === 0 && application === 0 ? "empty" : "foreign"
  } catch (error) {
    // One that is shorter than a header says nothing of whose it is.
    const [isNone, isCut] = [codeOf(error) === "SQLITE_NOTADB", codeOf(error) === "SQLITE_CORRUPT"]
    if (isNone || (isCut && headerOf(path) === undefined)) return "not-a-database"
    // One that was cut off is read no further than its header, which says whose it is; nobody can have it open to any use.
    if (isCut && headerOf(path)?.readUInt32BE(68) === applicationId) return "log"
    throw error
  } finally {
    connection.close()
  }
}

/**
 * Whether a file, which nobody has open, may have what was last written to it in the one beside it (`-wal`): a copy that
 * `context infra backup` wrote is whole, and what lies beside it is of something else.
 * https://www.sqlite.org/fileformat2.html#file_format_version_numbers
 */
export const hasWal = (path: string): boolean => headerOf(path)?.readUInt8(18) !== 1

const headerOf = (path: string): Buffer | undefined => {
  const descriptor = openSync(path, "r")
  try {
    const header = Buffer.alloc(100)
    return readSync(descriptor, header, 0, 100, 0) === 100 ? header : undefined
  } finally {
    closeSync(descriptor)
  }
}

/** What the first page is by the write-ahead log (https://www.sqlite.org/fileformat2.html#walformat), if that has it. */
const lookIntoWal = (path: string): Content | undefined => {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined
  const descriptor = openSync(path, "r")
  try {
    const header = Buffer.alloc(32)
    if (readSync(descriptor, header, 0, 32, 0) < 32) return undefined
    const pageSize = header.readUInt32BE(8) === 1 ? 65_536 : header.readUInt32BE(8)
    const frame = Buffer.alloc(24 + 108)
    // The last one counts: what makes a log names it last.
    let content: Content | undefined
    for (let at = 32; readSync(descriptor, frame, 0, frame.length, at) === frame.length; at += 24 + pageSize) {
      if (frame.readUInt32BE(0) !== 1) continue
      content = contentOf(frame.subarray(24))
    }
    return content
  } finally {
    closeSync(descriptor)
  }
}

const contentOf = (firstPage: Buffer): Content => {
  if (firstPage.readUInt32BE(68) === applicationId) return "log"
  const isLeafWithoutCells = firstPage.readUInt8(100) === 13 && firstPage.readUInt16BE(103) === 0
  return isLeafWithoutCells ? "empty" : "foreign"
}

const what: Record<Exclude<Kind, "missing" | "log" | "beginning">, readonly [StorageError["reason"], string]> = {
  special: ["unavailable", "this is no regular file; name another with --db or CONTEXT_DB"],
  foreign: ["foreign", "the file is of some other program, and is left as it is; name another with --db or CONTEXT_DB"],
  "not-a-database": [
    "not-a-database",
    "the file is not a database, and is left as it is; name another with --db or CONTEXT_DB, or, if it was a log, move it away and restore a backup",
  ],
}

const aside = /\.before-[\dTZ-]+$/

/**
 * Whether a restore that was cut short gave a log this name, beside its own which it still has. One that has a write-ahead log under
 * this name is damaged, and may be whole under no other.
 */
export const isSecondName = (path: string): boolean => {
  if (!aside.test(path) || ["-wal", "-journal"].some((end) => lstatSync(path + end, { throwIfNoEntry: false })?.size))
    return false
  const [second, first] = [path, path.replace(aside, "")].map((one) => lstatSync(one, { throwIfNoEntry: false }))
  return second !== undefined && second.ino === first?.ino && second.dev === first.dev
}

const secondName = (path: string): string =>
  `${path} is another name of ${path.replace(aside, "")}, which a restore that was cut short gave it: name that; the next restore takes this one away`

/**
 * Another name of a log, in its directory: each name has a write-ahead log of its own, so that what is written under one is lost
 * under the other (https://www.sqlite.org/howtocorrupt.html, section 2.5). A name that a restore gave it is refused by itself.
 */
const otherName = (path: string): string | undefined => {
  const { dev, ino, nlink } = statSync(path)
  if (nlink === 1 || aside.test(path)) return undefined
  const own = realpathSync(path)
  return namesIn(dirname(own))
    .filter((name) => name.replace(aside, "") !== basename(own))
    .map((name) => join(dirname(own), name))
    .find((other) => {
      const found = lstatSync(other, { throwIfNoEntry: false })
      return found?.ino === ino && found.dev === dev
    })
}

/** A directory need not be readable for who works in it. */
const namesIn = (directory: string): ReadonlyArray<string> => {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

const twoNames = (path: string, other: string): string =>
  `${path} and ${other} are one file under two names, and what is written under one of them would be lost under the other: take one of the names away; where only one of them has a -wal beside it, keep that one. What copies a log is context infra backup`

/** Refuses with `StorageError` what is not ours. Gives whether there is anything. */
export const isLog = (path: string): boolean => {
  try {
    const kind = identify(path)
    if (kind === "missing") return false
    if (kind === "log" || kind === "beginning") refuseMounted(path)
    if (kind === "log" && isSecondName(path)) throw new StorageError({ reason: "foreign", message: secondName(path) })
    const other = kind === "log" ? otherName(path) : undefined
    if (other !== undefined) throw new StorageError({ reason: "foreign", message: twoNames(path, other) })
    if (kind === "log" || kind === "beginning") return true
    const [reason, message] = what[kind]
    throw new StorageError({ reason, message: `${path}: ${message}` })
  } catch (cause) {
    throw storageError(path, cause)
  }
}

/** The same, and makes an empty file for its owner alone where there is nothing. Gives whether it did. */
export const claim = (path: string): boolean => {
  const isThere = isLog(path)
  refuseEmptied(isThere ? realpathSync(path) : path)
  if (!isThere) makeFile(path)
  return !isThere
}

/** For a file that is only a lock: empty, or nothing yet. Throws `StorageError` where it is anything else. */
export const claimLock = (path: string): void => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) makeFile(path)
  if (found === undefined || (found.isFile() && found.size === 0)) return
  const message = `${path} is where this program keeps a lock, and is something else; move it away`
  throw new StorageError({ reason: "foreign", message })
}
