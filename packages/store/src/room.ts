/** Whether the disk of a log has room for what comes of a command. */
import { closeSync, openSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { Obstacle } from "@context-engine/core/EventLog"
import { refusedBy, storageError } from "./connection.js"
import { hasLess, obstacleTo } from "./obstacle.js"

/** What the end of a deployment takes, with all that it printed last: of the log, its rows, and the file beside it. */
const room = 512 * 1024

/** Throws `StorageError` where there is no room for that beside a log, or nothing can be made there. Leaves nothing behind. */
export const checkRoom = (path: string): void => {
  const file = realpathSync(path)
  const obstacle = obstacleTo(file)
  if (obstacle !== undefined) throw refusedBy(path, obstacle)
  try {
    if (hasLess(dirname(file), room)) throw Object.assign(new Error("no space left"), { code: "ENOSPC" })
    writeOnce(file)
  } catch (cause) {
    throw storageError(path, cause)
  }
}

/** A disk that says that it has no room. That it has some, it may say where a quota leaves none: that only a write tells. */
export const toldFull = (path: string): Obstacle | undefined =>
  hasLess(dirname(realpathSync(path)), room) ? full(path) : undefined

/** The same where it takes a write to find out. Of any other trouble than a full disk it says nothing. */
export const foundFull = (path: string): Obstacle | undefined => {
  try {
    checkRoom(path)
    return undefined
  } catch (error) {
    return storageError(path, error).reason === "full" ? full(path) : undefined
  }
}

const full = (path: string): Obstacle => ({
  reason: "full",
  found: `${path}: the disk is full`,
  fix: "make room on its disk",
})

/** The file has no name any more before anything is in it, so that a process that is killed leaves none of that. */
const writeOnce = (path: string): void => {
  const file = `${path}.room-${process.pid}`
  removeLeft(path)
  const descriptor = openSync(file, "wx", 0o600)
  try {
    rmSync(file, { force: true })
    writeFileSync(descriptor, Buffer.alloc(room))
  } finally {
    closeSync(descriptor)
  }
}

/** What is there has a name for an instant alone, and nobody needs that: it may be another process's as well. */
const removeLeft = (path: string): void => {
  const start = `${basename(path)}.room-`
  for (const name of namesIn(dirname(path)))
    if (name.startsWith(start) && /^\d+$/.test(name.slice(start.length)))
      rmSync(join(dirname(path), name), { force: true })
}

/** A directory need not be readable for who works in it. */
const namesIn = (directory: string): ReadonlyArray<string> => {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
