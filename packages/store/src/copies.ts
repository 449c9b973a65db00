/** Whole copies of a database in new files: made beside their place, synced, looked at, and only then given their name. */
import { lstatSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { InvalidInput, StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { NativeConnection, storageError } from "./connection.js"
import { makeFile, putInPlace, syncPath } from "./files.js"
import { obstacle, refuseObstacle } from "./obstacle.js"
import { applicationId } from "./schema.js"
import { staging } from "./staging.js"

const refuse = (reason: string) => new InvalidInput({ field: "", reason })

/** Refuses a name that something has. */
const refuseUnlessNew = (into: string): Effect.Effect<void, InvalidInput> =>
  Effect.suspend(() =>
    lstatSync(into, { throwIfNoEntry: false }) === undefined
      ? Effect.void
      : refuse(`${into} exists already; name a file that does not`),
  )

/** No directory is made for a copy: the disk that it is meant for may not be there. */
const refuseWithoutDirectory = (into: string): Effect.Effect<void, InvalidInput> =>
  Effect.suspend(() =>
    statSync(dirname(into), { throwIfNoEntry: false })?.isDirectory() === true
      ? Effect.void
      : refuse(`there is no directory ${dirname(into)}; make it, or name a file in another`),
  )

/**
 * Makes a new file by way of a draft in a directory of its own, which `make` writes. Whatever ends it before its end, the name
 * is still free. `before` is done when the draft is whole and has no name yet.
 */
export const makeWhole = <A, E, R>(
  into: string,
  make: (draft: string) => Effect.Effect<A, E, R>,
  before: Effect.Effect<void, StorageError, Scope.Scope> = Effect.void,
): Effect.Effect<A, E | StorageError | InvalidInput, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* refuseWithoutDirectory(into)
      yield* attempt(into, () => refuseObstacle(obstacle(dirname(into))))
      // First: a run that was killed after the file had its name left the rest.
      const draft = join(yield* staging(into), basename(into))
      yield* refuseUnlessNew(into)
      const made = yield* make(draft)
      yield* attempt(into, () => syncPath(draft))
      yield* before
      yield* refuseUnlessNew(into)
      yield* attempt(into, () => putInPlace(draft, into))
      return made
    }),
  )

/** Writes all that a connection sees at this moment into a new file, and looks whether it holds. Throws. */
export const copyInto = (connection: NativeConnection, file: string): void => {
  // SQLite takes an empty file, too, and this one is for its owner alone.
  makeFile(file)
  connection.exec(`VACUUM INTO '${file.replaceAll("'", "''")}'`)
  syncPath(file)
  const copy = new NativeConnection(`${pathToFileURL(file).href}?mode=ro&immutable=1`, 0, "")
  try {
    const [application] = copy.prepare("PRAGMA application_id").get()
    const [verdict] = copy.prepare("PRAGMA quick_check(1)").get()
    if (application === applicationId && verdict === "ok") return
    throw new StorageError({ reason: "corrupt", message: `the copy of ${connection.path} does not hold: ${verdict}` })
  } finally {
    copy.close()
  }
}

/** The same as a new file under its final name. */
export const writeCopy = (
  connection: NativeConnection,
  into: string,
  before?: Effect.Effect<void, StorageError, Scope.Scope>,
): Effect.Effect<void, StorageError | InvalidInput> =>
  makeWhole(into, (draft) => attempt(into, () => copyInto(connection, draft)), before)

const attempt = <A>(path: string, body: () => A): Effect.Effect<A, StorageError> =>
  Effect.try({ try: body, catch: (cause) => storageError(path, cause) })
