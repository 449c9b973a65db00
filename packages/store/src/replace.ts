/**
 * Puts a finished file in the place of a log, in an order that may end anywhere: until one rename the old log is whole under
 * its name, from it on the new one is, and the old one is whole under another name before that.
 */
import { existsSync, lstatSync, renameSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { NativeConnection, storageError } from "./connection.js"
import { copyLogs, keepOnlyLogs, linkLogs } from "./FileDeployLogs.js"
import { addName, makeDirectory, putInPlace, syncPath } from "./files.js"
import { isLog } from "./identify.js"

export interface Replacement {
  /** The new file, which nobody has open. */
  readonly final: string
  readonly path: string
  /** Whose deploy logs go with it. */
  readonly backup: string
}

/** Gives where the old log is now; `null` if there was none. */
export const replace = ({ backup, final, path }: Replacement): Effect.Effect<string | null, StorageError> =>
  Effect.gen(function* () {
    const aside = yield* attempt(path, () => setAside(path)).pipe(
      Effect.retry({
        while: ({ reason }) => reason === "busy",
        schedule: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(50)),
      }),
    )
    if (aside !== null) yield* linkLogs(path, aside)
    yield* copyLogs(backup, path)
    yield* attempt(path, () => {
      clearBeside(path)
      putInPlace(final, path)
    })
    yield* keepOnlyLogs(path, backup)
    return aside
  })

/** The old log gets a second name, with all that was written to it in the one file. */
const setAside = (path: string): string | null => {
  makeDirectory(dirname(path))
  const stamp = new Date().toISOString().replace(/[:.]/g, "-")
  const aside = `${path}.before-${stamp}`
  if (!isLog(path)) {
    // What lies beside a log that is gone would be taken for the new one's.
    for (const end of ["-wal", "-journal"]) if (existsSync(path + end)) renameSync(path + end, aside + end)
    return null
  }
  if (!settle(path)) {
    // It is damaged: as it is, with what lies beside it, it may be of use to somebody.
    for (const end of ["-wal", "-journal"]) if (existsSync(path + end)) addName(path + end, aside + end)
  }
  addName(path, aside)
  syncPath(dirname(path))
  return aside
}

/**
 * Takes over into the file what lies beside it, which SQLite then removes, unless somebody else has it open. Gives `false` for
 * a file that is damaged. Only statements that leave nothing open are run: the connection must be closed when this ends.
 */
const settle = (path: string): boolean => {
  const connection = new NativeConnection(path, 1_000, "")
  try {
    connection.exec("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")
  } catch (cause) {
    const error = storageError(path, cause)
    if (error.reason !== "corrupt") throw error
    return false
  } finally {
    connection.close()
  }
  if (lstatSync(`${path}-wal`, { throwIfNoEntry: false }) === undefined) return true
  const message = `${path} is in use. A push in the background ends by itself in a moment; end what else has it open (context infra serve, sync watch, a bot, a program of yours) and try again`
  throw new StorageError({ reason: "busy", message })
}

const clearBeside = (path: string): void => {
  for (const end of ["-wal", "-shm", "-journal"]) rmSync(path + end, { force: true })
  syncPath(dirname(path))
}

const attempt = <A>(path: string, body: () => A): Effect.Effect<A, StorageError> =>
  Effect.try({ try: body, catch: (cause) => storageError(path, cause) })
