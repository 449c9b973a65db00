/** One process of a machine at a time. The locks are the operating system's: they go with the process that had them. */
import type { StorageError } from "@context-engine/core/Errors"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { NativeConnection, storageError } from "../connection.js"
import { claimLock } from "../identify.js"

/**
 * `sync` is held while a process synchronises, `watch` for as long as one sees to it that it is done, `alive` by the one for
 * which a temporary log is.
 */
export type Lock = "sync" | "watch" | "alive"

/**
 * Whether the lock could be had; it is kept until the scope is closed. It is SQLite's exclusive lock on an empty file beside
 * the log, because Node itself has no lock on files that would end with its process.
 */
export const acquire = (path: string, which: Lock): Effect.Effect<boolean, StorageError, Scope.Scope> => {
  const file = `${path}-${which}`
  return Effect.map(
    Effect.acquireRelease(
      Effect.try({ try: () => lock(file), catch: (cause) => storageError(file, cause) }),
      (connection) => Effect.sync(() => connection?.close()),
    ),
    (connection) => connection !== undefined,
  )
}

/** The same, as soon as nobody else has it. `every` is how often to look; `onWait` is run once if there is need to wait. */
export const acquireWhenFree = (
  path: string,
  which: Lock,
  every: Duration.DurationInput,
  onWait: Effect.Effect<void> = Effect.void,
): Effect.Effect<void, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    for (let waits = 0; ; waits++) {
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      if (yield* Scope.extend(acquire(path, which), own)) return
      yield* Scope.close(own, Exit.void)
      if (waits === 0) yield* onWait
      yield* Effect.sleep(every)
    }
  })

/** Whether a process has it now. */
export const isHeld = (path: string, which: Lock): Effect.Effect<boolean, StorageError> =>
  Effect.scoped(Effect.map(acquire(path, which), (free) => !free))

const lock = (file: string): NativeConnection | undefined => {
  claimLock(file)
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
