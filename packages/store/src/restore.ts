/** Puts a backup in the place of a log: verified first, in a copy of its own. What was there is kept aside, never deleted. */
import { lstatSync, statSync } from "node:fs"
import { basename, join } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import { EventLog } from "@context-engine/core/EventLog"
import { Audit, type AuditReport, type Progress } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { NativeConnection, storageError } from "./connection.js"
import { copyInto } from "./copies.js"
import { Database, layer as databaseLayer } from "./Database.js"
import { checkSchema, OwnSchema } from "./fileSchema.js"
import { copyPrivately, syncPath } from "./files.js"
import { identify, isLog } from "./identify.js"
import { rebuildOn } from "./rebuildOn.js"
import { replace } from "./replace.js"
import * as SqlAudit from "./SqlAudit.js"
import * as SqlEventLog from "./SqlEventLog.js"
import { staging } from "./staging.js"

/** A backup that has been looked at. */
export interface Prepared {
  /** How many events it holds, all of them, also those that were only in the file beside it (`-wal`). */
  readonly events: number
  /** What does not hold, in words. If there is anything, it cannot be put in place. */
  readonly problems: ReadonlyArray<string>
  /** How many rows were not what the events say, and were built anew. */
  readonly differing: number
  /** Puts it in the place of the log. Gives where that is now; `null` if there was none. */
  readonly place: Effect.Effect<string | null, StorageError>
}

type OnProgress = (progress: Progress) => Effect.Effect<void>

/** Takes a copy of a backup and verifies it. Nobody may be writing to the backup; nothing of it is changed. */
export const prepare = (
  backup: string,
  path: string,
  onProgress?: OnProgress,
): Effect.Effect<Prepared, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* attempt(path, () => isLog(path))
    const directory = yield* staging(path)
    const copy = join(directory, "backup.db")
    yield* attempt(backup, () => copyStill(backup, copy))
    const own = yield* OwnSchema
    const foreign = yield* attempt(backup, () => strangeIn(copy, own))
    const refused = (problems: ReadonlyArray<string>): Prepared => ({
      events: 0,
      problems,
      differing: 0,
      place: new StorageError({ reason: "corrupt", message: `${backup} does not hold: ${problems[0]}` }),
    })
    if (foreign.length > 0) return refused(foreign)
    const { differing, report } = yield* verified(copy, onProgress)
    // What counts for nothing harms nothing: it is kept as what it is.
    const problems = report.findings.filter(({ kind }) => kind !== "inert" && kind !== "sequence")
    if (problems.length > 0) return refused(problems.map(({ message }) => message))
    const final = join(directory, basename(path))
    yield* attempt(path, () => finish(copy, final))
    const place = Effect.suspend(() => replace({ final, path, backup }))
    return { events: report.events, problems: [], differing, place }
  })

/** Verifies a backup and puts it in place. Gives where the log that was there is now; `null` if there was none. */
export const restore = (backup: string, path: string): Effect.Effect<string | null, StorageError> =>
  Effect.scoped(Effect.flatMap(prepare(backup, path), ({ place }) => place))

/** What lies beside a database and belongs to it: what was not yet taken over, or is to be taken back. */
const companions = ["", "-wal", "-journal"]

const copyStill = (backup: string, copy: string): void => {
  const kind = identify(backup)
  if (kind !== "log") {
    const message = kind === "missing" ? `there is no file ${backup}` : `${backup} is no log of context`
    throw new StorageError({ reason: kind === "foreign" ? "foreign" : "not-a-database", message })
  }
  const state = () =>
    companions.map((end) => {
      const found = statSync(backup + end, { throwIfNoEntry: false })
      return found === undefined ? "" : `${found.ino} ${found.size} ${found.mtimeMs}`
    })
  const before = state()
  companions.forEach((end, index) => {
    if (before[index] !== "") copyPrivately(backup + end, copy + end)
  })
  if (state().join() === before.join()) return
  const message = `${backup} is being written at this moment; stop what writes to it, or copy it with context infra backup`
  throw new StorageError({ reason: "busy", message })
}

/** Before anything of ours runs on it: what was added could act on what we write. */
const strangeIn = (copy: string, own: ReadonlyArray<string>): ReadonlyArray<string> => {
  const connection = new NativeConnection(copy, 5_000)
  try {
    return checkSchema(connection, own).map(({ message }) => message)
  } finally {
    connection.close()
  }
}

/** If its events hold and its rows are not theirs, the rows are built anew. */
const verified = (copy: string, onProgress?: OnProgress) =>
  Effect.gen(function* () {
    const audit = yield* Audit
    const database = yield* Database
    const first = yield* audit.verify(onProgress)
    if (first.ok || !first.findings.some(({ kind }) => kind === "row") || !(yield* onlyRowsDiffer(first)))
      return { report: first, differing: 0 }
    const { differing } = yield* Effect.scoped(
      Effect.flatMap(database.dedicated, (connection) => rebuildOn(connection)),
    )
    return { report: yield* audit.verify(onProgress), differing: Math.max(1, differing) }
  }).pipe(
    Effect.provide(
      SqlAudit.layer.pipe(Layer.provideMerge(SqlEventLog.layer()), Layer.provideMerge(databaseLayer(copy))),
    ),
  )

/** Rows that are ahead of the log are no matter of rows: the end of the log is missing. */
const onlyRowsDiffer = (report: AuditReport) =>
  Effect.gen(function* () {
    if (report.findings.some(({ kind }) => !["row", "checkpoint", "inert", "sequence"].includes(kind))) return false
    const { read } = yield* Database
    const head = yield* Effect.flatMap(EventLog, (log) => log.head)
    const [checkpoint] = yield* read((connection) => connection.prepare("SELECT max(position) FROM checkpoint").get())
    return checkpoint === null || checkpoint <= head
  })

/** A new file that no connection has ever had open, with all in it, and in the mode that lets many work on it. */
const finish = (copy: string, final: string): void => {
  const from = new NativeConnection(copy, 5_000)
  try {
    // The log may have gone on since: what this machine writes from here on is a chain of its own.
    from.prepare("UPDATE signing SET machine = NULL").run()
    copyInto(from, final)
  } finally {
    from.close()
  }
  const connection = new NativeConnection(final, 0, "")
  try {
    connection.exec("PRAGMA journal_mode = WAL")
  } finally {
    connection.close()
  }
  if (lstatSync(`${final}-wal`, { throwIfNoEntry: false }) !== undefined)
    throw new StorageError({ reason: "unavailable", message: `${final} could not be closed; try again` })
  syncPath(final)
}

const attempt = <A>(path: string, body: () => A): Effect.Effect<A, StorageError> =>
  Effect.try({ try: body, catch: (cause) => storageError(path, cause) })
