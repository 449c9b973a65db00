/** A look into a log's file that changes nothing, whatever it is. */
import { pathToFileURL } from "node:url"
import type { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { type Connection, NativeConnection, storageError } from "../connection.js"
import { isLog } from "../identify.js"

/** Runs `body` on a connection that can only read; `undefined` if there is no file. */
export const look = <A>(
  path: string,
  body: (connection: Connection) => A,
): Effect.Effect<A | undefined, StorageError> =>
  Effect.try({
    try: () => {
      // A pipe would be waited for, without end.
      if (!isLog(path)) return undefined
      const connection = new NativeConnection(`${pathToFileURL(path).href}?mode=ro`, 2_000, "")
      try {
        return body(connection)
      } finally {
        connection.close()
      }
    },
    catch: (cause) => storageError(path, cause),
  })

/** The same for what is of interest only if it can be read: what cannot be is what the check of the database tells. */
export const glance = <A>(path: string, body: (connection: Connection) => A): Effect.Effect<A | undefined> =>
  Effect.orElseSucceed(look(path, body), () => undefined)
