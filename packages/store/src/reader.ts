/** The connection by which rows are read: that of a library, which does more than ours. */
import { pathToFileURL } from "node:url"
import type { StorageError } from "@context-engine/core/Errors"
import { type Client, createClient } from "@libsql/client/sqlite3"
import * as Effect from "effect/Effect"
import { isOthers, othersWal } from "./beside.js"
import { storageError } from "./connection.js"
import type { OpenedFile } from "./OpenedFile.js"
import type { Written } from "./thisFile.js"
import type { Way } from "./writable.js"

/** What lies beside a file says of which one it is, where a program of this version wrote it. */
export const assertOwnWal = (client: Client, file: OpenedFile, { alone }: Way): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    if (alone === undefined || alone.file === "") return
    const { rows } = yield* Effect.tryPromise({
      try: () => client.execute("SELECT file, written FROM checkpoint"),
      catch: (cause) => storageError(file.path, cause),
    })
    if (!isOthers(alone, undefined, rows[0] as unknown as Written)) return
    const error = othersWal(file.path)
    file.found(error)
    return yield* error
  })

/** The reader's connection. What it finds to be damaged is not written to when it is closed. */
export const clientOf = (way: Way, file: OpenedFile): Client => {
  const client = createClient({ url: urlOf(way), timeout: 5000, concurrency: 1 })
  const { execute } = client
  client.execute = async (...asked: [any]) => {
    try {
      return await execute.apply(client, asked)
    } catch (error) {
      file.found(storageError(file.path, error))
      throw error
    }
  }
  return client
}

/** The client takes no parameters but its own, so that a name that has some is given as if all of it were the path. */
const urlOf = ({ name }: Way): string =>
  name.startsWith("file:") ? `file:${encodeURIComponent(name)}` : pathToFileURL(name).href
