/** Where a file is made before it gets its name: a directory beside that, which nobody else reads and one process uses. */
import { existsSync, lstatSync, readdirSync, rmSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { NativeConnection, storageError } from "./connection.js"
import { makeDirectory } from "./files.js"
import { claimLock } from "./identify.js"

const ending = ".context-unfinished"

/** The directory in which the file of a name is made. */
export const stagingOf = (path: string): string => join(dirname(resolve(path)), `.${basename(path)}${ending}`)

/**
 * An empty directory beside `path`, gone when the scope is closed. What a killed process left of it is removed first; the lock
 * in it is SQLite's, which ends with its process.
 */
export const staging = (path: string): Effect.Effect<string, StorageError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.try({ try: () => take(stagingOf(path)), catch: (cause) => storageError(stagingOf(path), cause) }),
      ({ directory, lock }) =>
        Effect.sync(() => {
          remove(directory)
          lock.close()
        }),
    ),
    ({ directory }) => join(directory, "files"),
  )

const take = (directory: string) => {
  removeForgotten(dirname(directory))
  makeDirectory(directory)
  const file = join(directory, "lock")
  claimLock(file)
  const lock = new NativeConnection(file, 0, "")
  try {
    lock.exec("BEGIN EXCLUSIVE")
    rmSync(join(directory, "files"), { recursive: true, force: true })
    makeDirectory(join(directory, "files"))
    return { directory, lock }
  } catch (cause) {
    lock.close()
    const error = storageError(file, cause)
    if (error.reason !== "busy") throw error
    const message = `another process is making this file at this moment, in ${directory}; wait until it is done`
    throw new StorageError({ reason: "busy", message })
  }
}

const minute = 60_000

/** Those of other names that killed processes left here. A young one may be about to be locked. */
const removeForgotten = (parent: string): void => {
  if (!existsSync(parent)) return
  for (const name of readdirSync(parent).filter((found) => found.endsWith(ending))) {
    const directory = join(parent, name)
    const found = lstatSync(directory, { throwIfNoEntry: false })
    if (found?.isDirectory() !== true || Date.now() - found.mtimeMs < minute) continue
    if (isFree(join(directory, "lock"))) remove(directory)
  }
}

const isFree = (file: string): boolean => {
  let lock: NativeConnection | undefined
  try {
    claimLock(file)
    lock = new NativeConnection(file, 0, "")
    lock.exec("BEGIN EXCLUSIVE")
    return true
  } catch {
    return false
  } finally {
    lock?.close()
  }
}

/** What cannot be removed now is found by the next run. */
const remove = (directory: string): void => {
  try {
    rmSync(directory, { recursive: true, force: true })
  } catch {}
}
