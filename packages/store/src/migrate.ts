/** Whether a file is a log of ours, and how an older one is brought up to date. */
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type { Connection } from "./connection.js"
import type { Database } from "./Database.js"
import { makePrivate } from "./files.js"
import { applicationId, migrations } from "./schema.js"
import { begin, nothing, readWritten } from "./thisFile.js"
import type { Way } from "./writable.js"

/** What a file says of itself. */
export interface Header {
  readonly application: number
  readonly version: number
  readonly tables: number
  /** A copy has another than WAL until it is first worked on. */
  readonly mode: string
}

export const headerQuery = `SELECT a.application_id AS application, v.user_version AS version,
  (SELECT count(*) FROM sqlite_schema) AS tables, m.journal_mode AS mode
  FROM pragma_application_id a, pragma_user_version v, pragma_journal_mode m`

/** A log that is worked on is in WAL mode: another program holds one that is not only where the file was changed under it. */
const heldOpen = (path: string, cause: StorageError): StorageError =>
  new StorageError({
    reason: "busy",
    message: `${path} is a copy that nothing was written to yet, and another program has it open: if it was copied over the log there, end what had that open (context infra serve, sync watch), and try again`,
    cause,
  })

/** Checks that the file is a log of ours, and brings an older one up to date. Costs nothing where it is. */
export const migrate = (
  database: Database["Type"],
  header: Header,
  { onlyRead }: Way,
): Effect.Effect<void, StorageError> => {
  const refuse = (reason: StorageError["reason"], message: string) =>
    Effect.fail(new StorageError({ reason, message: `${database.path}: ${message}` }))
  if (header.application !== applicationId && header.tables > 0) {
    return refuse("foreign", "a database of some other program; name another with --db or CONTEXT_DB")
  }
  if (header.version > migrations.length) {
    return refuse(
      "newer-schema",
      `written by a newer context (schema ${header.version}, this one knows ${migrations.length}); upgrade this one`,
    )
  }
  // A copy that may only be read stays one: who only looks at it needs nothing beside it.
  if (header.version === migrations.length && (header.mode === "wal" || onlyRead)) return Effect.void
  const began = database
    .read((connection) => {
      makePrivate(database.path)
      // In the file itself: what lies beside a file always says of the same one that it is.
      const [[mode] = []] = connection.prepare("PRAGMA journal_mode").all()
      if (mode !== "wal") beginAnew(connection)
      connection.exec("PRAGMA journal_mode = WAL")
    })
    .pipe(Effect.mapError((error) => (error.reason === "busy" ? heldOpen(database.path, error) : error)))
  return Effect.zipRight(
    began,
    database.write((connection) => {
      // Another process may have been faster: look again, now that nobody else can write.
      const [done] = connection.prepare("SELECT user_version FROM pragma_user_version").get() as [number]
      for (const migration of migrations.slice(done)) connection.exec(migration)
      connection.exec(`PRAGMA user_version = ${migrations.length}`)
      begin(connection, "")
    }),
  )
}

/** A copy that is worked on is another file than the one that it was made of; unless another process has begun with it meanwhile. */
const beginAnew = (connection: Connection): void => {
  const { file } = readWritten(connection) ?? nothing
  if (file !== "") begin(connection, file)
}
