/**
 * Puts a finished file in the place of a log, in an order that may end anywhere: until one rename the old log is whole under
 * its name, from it on the new one is, and the old one is whole under another name before that.
 */
import { existsSync, lstatSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
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
  /** Where the old log ended when it was looked at, as `headText` says it; absent where it could not be read. */
  readonly head?: string | undefined
}

/** Gives where the old log is now; `null` if there was none. */
export const replace = ({ backup, final, head, path }: Replacement): Effect.Effect<string | null, StorageError> =>
  Effect.gen(function* () {
    const seen = head === undefined ? undefined : { head, note: join(dirname(final), "head.db") }
    const aside = yield* attempt(path, () => setAside(path, seen)).pipe(
      Effect.retry({
        while: ({ reason }) => reason === "busy",
        schedule: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(50)),
      }),
    )
    if (aside !== null) yield* linkLogs(path, aside)
    yield* copyLogs(backup, path)
    yield* attempt(path, () => {
      if (aside !== null && seen !== undefined) endsAsSeen(path, seen, aside)
      clearBeside(path)
      putInPlace(final, path)
    })
    yield* keepOnlyLogs(path, backup)
    return aside
  })

/** The old log gets a second name, with all that was written to it in the one file. */
const setAside = (path: string, seen: Seen | undefined): string | null => {
  makeDirectory(dirname(path))
  const stamp = new Date().toISOString().replace(/[:.]/g, "-")
  const aside = `${path}.before-${stamp}`
  if (!isLog(path)) {
    // What lies beside a log that is gone would be taken for the new one's.
    for (const end of ["-wal", "-journal"]) if (existsSync(path + end)) renameSync(path + end, aside + end)
    return null
  }
  if (!settle(path, seen)) {
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
const settle = (path: string, seen: Seen | undefined): boolean => {
  if (seen !== undefined) rmSync(seen.note, { force: true })
  const connection = new NativeConnection(path, 1_000, "")
  try {
    connection.exec("PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)")
    if (seen !== undefined) connection.exec(keepHead(seen.note))
  } catch (cause) {
    const error = storageError(path, cause)
    if (error.reason !== "corrupt") throw error
    return false
  } finally {
    connection.close()
  }
  if (lstatSync(`${path}-wal`, { throwIfNoEntry: false }) === undefined) {
    if (seen !== undefined && headIn(seen.note) !== seen.head) throw written(path)
    return true
  }
  const message = `${path} is in use. A push in the background ends by itself in a moment; end what else has it open (context infra serve, sync watch, a bot, a program of yours) and try again`
  throw new StorageError({ reason: "busy", message })
}

/** Somebody may have written while the deploy logs were copied: that is not thrown away unseen. Takes the second name back. */
const endsAsSeen = (path: string, seen: Seen, aside: string): void => {
  try {
    settle(path, seen)
  } catch (error) {
    rmSync(aside, { force: true })
    throw error
  }
}

/** Where a log ends: the position of its last event, and its hash in hex. */
export const headText = "SELECT max(position) || ' ' || hex(hash) AS head FROM events"

/** How the old log was when it was looked at, and a file that may be written to hold one against the other. */
interface Seen {
  readonly head: string
  readonly note: string
}

/** Where it ends is written to another file: a statement that gives a row would keep the log open. */
const keepHead = (note: string): string =>
  `ATTACH '${note.replaceAll("'", "''")}' AS note; CREATE TABLE note.head AS ${headText}; DETACH note`

const headIn = (note: string): string => {
  const connection = new NativeConnection(note, 1_000, "")
  try {
    return connection.prepare("SELECT head FROM head").get()?.[0] ?? ""
  } finally {
    connection.close()
  }
}

/** Not "busy": to try again would be to throw away what a person has not been told of. */
const written = (path: string) =>
  new StorageError({
    reason: "replaced",
    message: `${path} was written to since it was looked at; nothing was put in its place. Stop what writes to it, and restore again`,
  })

const clearBeside = (path: string): void => {
  for (const end of ["-wal", "-shm", "-journal"]) rmSync(path + end, { force: true })
  syncPath(dirname(path))
}

const attempt = <A>(path: string, body: () => A): Effect.Effect<A, StorageError> =>
  Effect.try({ try: body, catch: (cause) => storageError(path, cause) })
