/** One process of a machine synchronises at a time. The lock is the operating system's: it goes with the process that had it. */
import type { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { NativeConnection, storageError } from "../connection.js"

/**
 * Whether the lock could be had; it is kept until the scope is closed. It is SQLite's exclusive lock on an empty file beside
 * the log, because Node itself has no lock on files that would end with its process.
 */
export const acquire = (path: string): Effect.Effect<boolean, StorageError, Scope.Scope> => {
  const file = `${path}-sync`
  return Effect.map(
    Effect.acquireRelease(
      Effect.try({ try: () => lock(file), catch: (cause) => storageError(file, cause) }),
      (connection) => Effect.sync(() => connection?.close()),
    ),
    (connection) => connection !== undefined,
  )
}

const lock = (file: string): NativeConnection | undefined => {
  const connection = new NativeConnection(file, 0, "")
  try {
    connection.exec("BEGIN EXCLUSIVE")
    return connection
  } catch (cause) {
    connection.close()
    const error = storageError(file, cause)
    if (error.reason === "busy") return undefined
    throw error
  }
}
