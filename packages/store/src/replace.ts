/**
 * Puts a finished file in the place of a log, in an order that may end anywhere: until one rename the old log is whole under
 * its name, from it on the new one is, and the old one is whole under another name before that.
 */
import { spawnSync } from "node:child_process"
import { existsSync, lstatSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { hasOthersWal } from "./beside.js"
import { NativeConnection, storageError } from "./connection.js"
import { copyLogs, keepOnlyLogs, linkLogs, removeLogs } from "./FileDeployLogs.js"
import { addName, makeDirectory, makeFile, makePrivate, syncPath } from "./files.js"
import { identify, isLog, isSecondName } from "./identify.js"

export interface Replacement {
  /** The new file, which nobody has open. */
  readonly final: string
  readonly path: string
  /** What the log is called, which may be a link to there: what deployments printed is beside that. */
  readonly named: string
  /** Whose deploy logs go with it. */
  readonly backup: string
  /** Where the old log ended when it was looked at, as `headText` says it, `noHead` if there was none; absent where it could not be read. */
  readonly head?: string | undefined
  /** Whether what lies beside the log that is there was written to another file. */
  readonly isMixed: boolean
}

/** Gives where the old log is now; `null` if there was none. */
export const replace = (replacement: Replacement): Effect.Effect<string | null, StorageError> =>
  Effect.uninterruptible(Effect.scoped(put(replacement))).pipe(
    // From here on the new log is there: that it is not told for good yet, or that too much is beside it, undoes nothing.
    Effect.tap(() => attempt(replacement.path, () => syncPath(dirname(replacement.path)))),
    // What was printed is kept with the log that was set aside; where none was, it is in no other place.
    Effect.tap((aside) =>
      aside === null ? Effect.void : Effect.ignore(keepOnlyLogs(replacement.named, replacement.backup)),
    ),
  )

/** Ends with the rename; where it fails before, all is as it was when the scope is closed. */
const put = ({ backup, final, head, named, path, isMixed }: Replacement) =>
  Effect.gen(function* () {
    yield* attempt(path, () => makeDirectory(dirname(path)))
    yield* copyLogs(backup, named)
    const [aside, wasThere] = [asideOf(path), existsSync(path)]
    yield* Effect.addFinalizer(({ _tag }) =>
      _tag === "Success" ? Effect.void : Effect.ignore(attempt(path, () => undo(path, aside, wasThere))),
    )
    const isThere = yield* attempt(path, () => makeRoom(path, aside, isMixed))
    const held = yield* holding(path)
    const seen = isThere ? head : noHead
    if (held !== undefined && seen !== undefined)
      yield* attempt(path, () => assertEnd(held, seen, join(dirname(final), "head.db")))
    if (isThere) {
      yield* attempt(path, () => setAside(path, held, { aside, draft: join(dirname(final), "aside.db") }))
      yield* linkLogs(named, aside)
    }
    yield* attempt(path, () => {
      clearBeside(path)
      rename(final, path)
    })
    return isThere ? aside : null
  })

const undo = (path: string, aside: string, wasThere: boolean): void => {
  if (!wasThere && identify(path) === "beginning") rmSync(path)
  for (const end of ["-wal", "-journal"]) {
    if (!existsSync(aside + end)) continue
    if (existsSync(path + end)) rmSync(aside + end)
    else renameSync(aside + end, path + end)
  }
  rmSync(aside, { force: true })
  removeLogs(aside)
}

const rename = (final: string, path: string): void => {
  try {
    renameSync(final, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error
    const message = `${path} is a mount of its own, as containers have it, and no other file can be put in its place; nothing was done. Have its directory mounted instead, or restore it where it is no mount`
    throw new StorageError({ reason: "unavailable", message })
  }
}

/**
 * Whether there is a log. Where there is none an empty file is made, so that there is something to hold: whoever makes a log there
 * meanwhile would not be noticed. As it is held it gets a page: who has opened it when it had none would delete the new log's -wal.
 */
const makeRoom = (path: string, aside: string, isMixed: boolean): boolean => {
  isLog(path)
  removeNames(path)
  if (isMixed || hasOthersWal(path)) moveBeside(path, aside)
  if (identify(path) === "log") return true
  // What lies beside a log that is gone, or was cut off within its first page, would be taken for the new one's.
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < 512) moveBeside(path, aside)
  makeFile(path)
  return false
}

/** A restore that was cut short leaves the log under two names: work under the other would be lost to this one. */
const removeNames = (path: string): void => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || found.nlink === 1) return
  for (const name of readdirSync(dirname(path))) {
    const other = join(dirname(path), name)
    if (!isSecondName(other) || lstatSync(other).ino !== found.ino) continue
    rmSync(other)
    removeLogs(other)
  }
}

const moveBeside = (path: string, aside: string): void => {
  for (const end of ["-wal", "-journal"]) {
    const found = statSync(path + end, { throwIfNoEntry: false })
    if (found === undefined) continue
    if (found.size === 0) rmSync(path + end)
    else renameSync(path + end, aside + end)
  }
}

const asideOf = (path: string): string => `${path}.before-${new Date().toISOString().replace(/[:.]/g, "-")}`

/**
 * Holds what is there until the scope ends: nobody reads or writes it meanwhile, and whoever has begun to open it finds that another
 * is in its place. It is in the one file then, with nothing beside it. `undefined` where it is damaged.
 */
const holding = (path: string): Effect.Effect<NativeConnection | undefined, StorageError, Scope.Scope> =>
  Effect.acquireRelease(
    attempt(path, () => hold(path)).pipe(
      Effect.retry({
        while: ({ reason }) => reason === "busy",
        schedule: Schedule.intersect(Schedule.spaced("100 millis"), Schedule.recurs(50)),
      }),
    ),
    (held) => Effect.sync(() => held?.close()),
  )

/** Only statements that leave nothing open are run: the connection must be closed when this ends. */
const hold = (path: string): NativeConnection | undefined => {
  // Moved away meanwhile: SQLite would make another, for everybody to read.
  if (!existsSync(path)) throw written(path)
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

/** Said where something has it open, or keeps it together with the shared log. */
export const inUse = (path: string) =>
  new StorageError({
    reason: "busy",
    message: `${path} is in use. A push in the background ends by itself in a moment; end what else has it open (context infra serve, sync watch, a bot, a program of yours) and try again`,
  })

/**
 * The old log gets a second name. One that is damaged does with what lies beside it: it may be of use to somebody. While it is held
 * nothing here opens it: with the last that is closed a process gives up all its locks on a file
 * (https://www.sqlite.org/howtocorrupt.html, 2.2). `draft`: what is left of it if this process is killed is removed by the next.
 */
const setAside = (
  path: string,
  held: NativeConnection | undefined,
  { aside, draft }: { readonly aside: string; readonly draft: string },
): void => {
  if (held === undefined)
    for (const end of ["-wal", "-journal"]) if (existsSync(path + end)) addName(path + end, aside + end)
  addName(path, aside, { copy: held && ((to) => copyHeld(path, to)), draft })
  syncPath(dirname(path))
}

/** Copies, as any program could; not SQLite, which would not copy what is damaged. */
const copying = `try { require("node:fs").copyFileSync(process.argv[1], process.argv[2]) }
catch (error) { process.stdout.write(error.code); process.exitCode = 1 }`

/** By another process, which has no locks to lose. The draft is its owner's alone from the beginning. */
const copyHeld = (path: string, draft: string): void => {
  makeFile(draft)
  const { error, status, stdout } = spawnSync(process.execPath, ["-e", copying, path, draft], { encoding: "utf8" })
  if (status !== 0) {
    rmSync(draft, { force: true })
    throw error ?? Object.assign(new Error(`it cannot be kept as ${draft}: ${stdout}`), { code: stdout })
  }
  makePrivate(draft)
  syncPath(draft)
}

/** Where a log ends: the position of its last event, and its hash in hex. */
export const headText = "SELECT coalesce(max(position), 0) || ' ' || coalesce(hex(hash), '') AS head FROM events"

/** The same of a log without an event, and where there is none. */
export const noHead = "0 "

/** Throws where a log does not end there. `note`: a file to be made; a statement that gives a row would keep the log open. */
const assertEnd = (held: NativeConnection, head: string, note: string): void => {
  makeFile(note)
  try {
    held.exec(`ATTACH '${note.replaceAll("'", "''")}' AS note; CREATE TABLE note.head AS ${headText}; DETACH note`)
  } catch (error) {
    // What is there is an empty file.
    if (head === noHead && String(error).includes("no such table")) return
    throw error
  }
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
