/** The check of what this machine has seen of the log: whether the log still has it, and whether that can be kept. */
import { accessSync, constants, existsSync } from "node:fs"
import { dirname } from "node:path"
import { type Check, type Finding, ok, trouble, warning } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import { fileOf, ownName } from "../memory/file.js"
import { type MemoryOptions, recall } from "../memory/LogMemory.js"
import { unreadable } from "../obstacle.js"
import { glance } from "./look.js"

/** Holds the log at a path against what is kept in a directory. */
export const memory = (path: string, { directory }: MemoryOptions): Check => ({
  name: "memory",
  look: Effect.gen(function* () {
    const unread = unreadable(fileOf(directory, ownName(path)))
    if (unread !== undefined) return [warning("memory", `what this machine remembered of the log cannot be read: ${unread.found}`, unread.fix)] // biome-ignore format: one line
    const { reason, remembered } = recall(directory, path)
    const unwritable = kept(directory)
    if (reason !== undefined) return [warning("memory", `what this machine remembered of the log cannot be read (${reason})`, "the next command begins it anew"), ...unwritable] // biome-ignore format: one list
    if (remembered === undefined) return unwritable
    // A file that cannot be looked into is what the check of the database tells.
    const found = existsSync(path)
      ? yield* glance(path, (connection) => remembered(holdsEvents(connection) ? connection : undefined))
      : remembered(undefined)
    if (found === undefined) return unwritable
    if (found !== null) return [trouble("memory", found.message, found.next), ...unwritable]
    return [ok("memory", "the log has all that this machine has seen of it"), ...unwritable]
  }),
})

/** Not so a file that was only just made, or emptied. */
const holdsEvents = (connection: Connection): boolean =>
  connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'events'").get() !== undefined

/** Whether what is seen can be written down: then a log that is shorter one day would go unnoticed. */
const kept = (directory: string): ReadonlyArray<Finding> => {
  const there = existingOf(directory)
  try {
    accessSync(there, constants.W_OK)
    return []
  } catch {
    const found = `${directory} cannot be written: a log that is replaced by an older copy will not be noticed`
    return [warning("memory", found, `let this user write ${there}`)]
  }
}

const existingOf = (directory: string): string =>
  existsSync(directory) || dirname(directory) === directory ? directory : existingOf(dirname(directory))
