/** The check of permissions: what is kept here is for its owner alone. */
import { statSync } from "node:fs"
import { dirname } from "node:path"
import { word } from "@context-engine/core/Shell"
import { type Check, type Finding, ok, trouble, warning } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"

export interface Options {
  /** Whether the directory is there for the log, and not one that a person chose. */
  readonly ownDirectory?: boolean
}

/** Looks at the database, what lies beside it, and the directory that they are in. */
export const permissions = (database: string, { ownDirectory = false }: Options = {}): Check => ({
  name: "permissions",
  look: Effect.sync(() => {
    const found = [
      ...judge(dirname(database), 0o700, ownDirectory ? 0o077 : 0o022),
      ...["", "-wal", "-shm"].flatMap((end) => judge(`${database}${end}`, 0o600)),
      ...["-logs", "-replica"].flatMap((end) => judge(`${database}${end}`, 0o700)),
    ]
    return found.length > 0 ? found : [ok("permissions", "nobody else can read what is kept here")]
  }),
})

const sticky = 0o1000

/** `refused` are the rights that others must not have. */
const judge = (path: string, wanted: number, refused = 0o077): ReadonlyArray<Finding> => {
  const found = statSync(path, { throwIfNoEntry: false })
  // A device that was named by mistake keeps the rights it has.
  const mode = found?.isFile() || found?.isDirectory() ? found.mode : undefined
  // SQLite gives an empty write-ahead log the rights of the file beside it, whenever it opens it.
  if (found?.size === 0 && path.endsWith("-wal")) return []
  // A sticky directory is for everybody; what is in it has rights of its own.
  if (mode === undefined || (mode & refused) === 0 || (mode & sticky) !== 0) return []
  const [level, may] = (mode & 0o022) !== 0 ? [trouble, "changed"] : [warning, "read"]
  const rights = (mode & 0o777).toString(8).padStart(4, "0")
  return [
    level("permissions", `${path} can be ${may} by others (${rights})`, `chmod ${wanted.toString(8)} ${word(path)}`),
  ]
}
