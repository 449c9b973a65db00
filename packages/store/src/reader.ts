/** The connection by which rows are read: that of a library, which does more than ours. */
import { pathToFileURL } from "node:url"
import type { StorageError } from "@context-engine/core/Errors"
import { type Client, createClient } from "@libsql/client/sqlite3"
import * as Effect from "effect/Effect"
import { isFromBefore, isOthers, isOthersAlone, othersWal } from "./beside.js"
import { storageError } from "./connection.js"
import { rememberWritten, writtenAsSeen } from "./memory/file.js"
import type { Header } from "./migrate.js"
import type { OpenedFile } from "./OpenedFile.js"
import { applicationId } from "./schema.js"
import { type Together, writtenQuery } from "./thisFile.js"
import type { Way } from "./writable.js"

/** A log that is being opened. */
interface Opening {
  readonly file: OpenedFile
  readonly way: Way
  readonly header: Header
  /** Where this machine remembers how far it had come, if it does. */
  readonly memory: string | undefined
}

/**
 * Holds the file against what lies beside it and what this machine has seen of it. One that was set back, with all that lies beside it, is
 * whole in itself, and remembered as it is now: before anything is committed.
 */
export const settleFile = (client: Client, { file, header, memory, way }: Opening): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    const { alone, hasBeside, onlyRead } = way
    const seen = writtenAsSeen(memory, file.path)
    // What is no log of ours is told as that by who goes on with it.
    if (header.application !== applicationId || (!hasBeside && seen === undefined)) return
    const { rows } = yield* Effect.tryPromise({
      try: () => client.execute(writtenQuery),
      catch: (cause) => (isOthersAlone(alone, seen) ? othersWal(file.path) : storageError(file.path, cause)),
    })
    const { file: named, taken, written } = rows[0] as unknown as Together
    const together = { file: named, written, taken }
    if (isOthers(file.path, alone, together) || isFromBefore(file.path, together, seen)) {
      const error = othersWal(file.path)
      file.found(error)
      return yield* error
    }
    // A power cut may have taken some of what was seen in it, and left that beside it.
    const come = hasBeside ? alone?.come : together
    file.hasCome(come)
    if (onlyRead || memory === undefined || seen === undefined) return
    const isSetBack = seen.file !== together.file || seen.written > together.written
    if (isSetBack) rememberWritten(memory, file.path, come)
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
