/**
 * Puts a finished file in the place of a log, in an order that may end anywhere: until one rename the old log is whole under
 * its name, from it on the new one is, and the old one is whole under another name before that.
 */
import { existsSync, lstatSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { NativeConnection, storageError } from "./connection.js"
import { copyLogs, keepOnlyLogs, linkLogs } from "./FileDeployLogs.js"
import { addName, makeDirectory, makeFile, putInPlace, syncPath } from "./files.js"
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
    yield* attempt(path, () => makeDirectory(dirname(path)))
    yield* copyLogs(backup, path)
    const aside = yield* Effect.scoped(
      Effect.gen(function* () {
        const held = yield* holding(path)
        if (held !== undefined && head !== undefined)
          yield* attempt(path, () => assertEnd(held, head, join(dirname(final), "head.db")))
        const aside = yield* attempt(path, () => setAside(path, held))
        if (aside !== null) yield* linkLogs(path, aside)
        yield* attempt(path, () => {
          clearBeside(path)
          putInPlace(final, path)
        })
        return aside
      }),
    )
    yield* keepOnlyLogs(path, backup)
    return aside
  })

/**
 * Holds the old log until the scope ends: nobody reads or writes it meanwhile, and whoever has begun to open it finds that another
 * is in its place. It is in the one file then, with nothing beside it. `undefined` where there is none, or it is damaged.
 */
const holding = (path: string): Effect.Effect<NativeConnection | undefined, StorageError, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(path, () => (isLog(path) ? hold(path) : undefined)).pipe(
      Effect.retry({
        while: ({ reason }) => reason === "busy",
        schedule: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(50)),
      }),
    ),
    (held) => Effect.sync(() => held?.close()),
  )

/** Only statements that leave nothing open are run: the connection must be closed when this ends. */
const hold = (path: string): NativeConnection | undefined => {
  const connection = new NativeConnection(path, 1_000, "")
  try {
    connection.exec("PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE")
    connection.exec("BEGIN EXCLUSIVE; COMMIT")
    if (lstatSync(`${path}-wal`, { throwIfNoEntry: false }) === undefined) return connection
    throw inUse(path)
  } catch (cause) {
    connection.close()
    const error = storageError(path, cause)
    if (error.reason === "busy") throw inUse(path)
    if (error.reason !== "corrupt") throw error
    return undefined
  }
}

const inUse = (path: string) =>
  new StorageError({
    reason: "busy",
    message: `${path} is in use. A push in the background ends by itself in a moment; end what else has it open (context infra serve, sync watch, a bot, a program of yours) and try again`,
  })

/**
 * The old log gets a second name. One that is damaged does with what lies beside it: it may be of use to somebody. While it is held
 * nothing here opens it: with the last that is closed a process gives up all its locks on a file
 * (https://www.sqlite.org/howtocorrupt.html, 2.2).
 */
const setAside = (path: string, held: NativeConnection | undefined): string | null => {
  const stamp = new Date().toISOString().replace(/[:.]/g, "-")
  const aside = `${path}.before-${stamp}`
  if (held === undefined && !isLog(path)) {
    // What lies beside a log that is gone would be taken for the new one's.
    for (const end of ["-wal", "-journal"]) if (existsSync(path + end)) renameSync(path + end, aside + end)
    return null
  }
  if (held === undefined) {
    for (const end of ["-wal", "-journal"]) if (existsSync(path + end)) addName(path + end, aside + end)
    addName(path, aside)
  } else addName(path, aside, (draft) => copyHeld(held, draft))
  syncPath(dirname(path))
  return aside
}

/** SQLite takes an empty file for one that is not there: so it is its owner's alone from the beginning. */
const copyHeld = (held: NativeConnection, draft: string): void => {
  makeFile(draft)
  held.exec(`VACUUM INTO '${draft.replaceAll("'", "''")}'`)
  syncPath(draft)
}

/** Where a log ends: the position of its last event, and its hash in hex. */
export const headText = "SELECT max(position) || ' ' || hex(hash) AS head FROM events"

/** Throws where a log does not end there. `note`: a file to be made; a statement that gives a row would keep the log open. */
const assertEnd = (held: NativeConnection, head: string, note: string): void => {
  makeFile(note)
  held.exec(`ATTACH '${note.replaceAll("'", "''")}' AS note; CREATE TABLE note.head AS ${headText}; DETACH note`)
  const connection = new NativeConnection(note, 1_000, "")
  try {
    if (connection.prepare("SELECT head FROM head").get()?.[0] !== head) throw written(held.path)
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
