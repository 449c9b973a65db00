/** What keeps this user from reading or writing a file: whose it is, its rights and flags, and how its disk is mounted and how full it is. */
import { accessSync, constants, existsSync, realpathSync, statfsSync, statSync } from "node:fs"
import { userInfo } from "node:os"
import { dirname } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import type { Obstacle } from "@context-engine/core/EventLog"
import { word } from "@context-engine/core/Shell"

/** What keeps from writing the log at a path, which is there: the file, or the directory that SQLite needs beside it. */
export const obstacleTo = (path: string): Obstacle | undefined => {
  const file = realpathSync(path)
  return obstacle(file) ?? obstacle(dirname(file))
}

/** What keeps from making something at a path: the nearest of what is there. */
export const obstacleAbove = (path: string): Obstacle | undefined =>
  existsSync(path) || dirname(path) === path ? obstacle(path) : obstacleAbove(dirname(path))

/** What keeps from reading a file: its own rights, or what is first on the way to it that may not be entered. */
export const unreadable = (path: string): Obstacle | undefined => {
  const above = barred(dirname(path))
  if (above !== undefined) return above
  return existsSync(path) && !may(path, constants.R_OK) ? kept(path, "read", "rw") : undefined
}

const barred = (directory: string): Obstacle | undefined => {
  const parent = dirname(directory)
  const above = parent === directory ? undefined : barred(parent)
  if (above !== undefined) return above
  const found = statSync(directory, { throwIfNoEntry: false })
  if (found === undefined) return undefined
  if (!found.isDirectory())
    return refused(`${directory} is no directory`, `mv ${word(directory)} ${word(`${directory}.old`)}`)
  return may(directory, constants.X_OK) ? undefined : kept(directory, "entered", "rwx")
}

const may = (path: string, what: number): boolean => {
  try {
    accessSync(path, what)
    return true
  } catch {
    return false
  }
}

/** Refuses what an obstacle keeps from being done. Throws `StorageError`. */
export const refuseObstacle = (found: Obstacle | undefined): void => {
  if (found === undefined) return
  throw new StorageError({ reason: found.reason, message: `${found.found}; nothing was done. What mends it: ${found.fix}` }) // biome-ignore format: one line
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
    return refused(`${path} is on a disk that is mounted to be read only`, `mount it to be written: findmnt -T ${word(path)}`) // biome-ignore format: one line
  if (code === "EPERM")
    return refused(`${path} has a flag that keeps everybody from writing it`, `chattr -i ${word(path)}`)
  return kept(path, "written", "w")
}

/** That the rights of a file or directory keep this user from something; its owner gives these to itself. */
const kept = (path: string, from: "written" | "read" | "entered", rights: string): Obstacle => {
  const owner = statSync(path, { throwIfNoEntry: false })?.uid
  const found = `${path} may not be ${from} by ${userName()}`
  const verb = { written: "write", read: "read", entered: "enter" }[from]
  return owner === process.geteuid?.()
    ? refused(found, `chmod u+${rights} ${word(path)}`)
    : refused(`${found}: it belongs to the user of the number ${owner}`, `work as its owner, or let this user ${verb} ${path}`) // biome-ignore format: one line
}

const refused = (found: string, fix: string): Obstacle => ({ reason: "unavailable", found, fix })

/** A container may run under a number that has no name. */
const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    return `the user of the number ${process.geteuid?.()}`
  }
}

/** Whether a disk says that it has less than so many bytes for this user, or no more files: none that counts neither. */
export const hasLess = (directory: string, bytes: number): boolean => {
  const { bavail, bfree, blocks, bsize, ffree, files } = statfsSync(directory)
  // What is reserved is root's.
  const free = process.geteuid?.() === 0 ? bfree : bavail
  return (blocks > 0 && free * bsize < bytes) || (files > 0 && ffree === 0)
}
