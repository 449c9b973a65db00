/** A look into a log's file that changes nothing, whatever it is. */
import { pathToFileURL } from "node:url"
import type { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import { isOthers, othersWal } from "../beside.js"
import { type Connection, NativeConnection, storageError } from "../connection.js"
import { isLog } from "../identify.js"
import { readWritten } from "../thisFile.js"
import { wayTo } from "../writable.js"

/** Runs `body` on a connection that can only read; `undefined` if there is no file. */
export const look = <A>(
  path: string,
  body: (connection: Connection) => A,
): Effect.Effect<A | undefined, StorageError> =>
  lookWith(path, (connection) => Effect.try({ try: () => body(connection), catch: (cause) => cause }))

/** The same for what takes its time. Whatever it fails with is about the file. */
export const lookWith = <A>(
  path: string,
  use: (connection: NativeConnection) => Effect.Effect<A, unknown>,
): Effect.Effect<A | undefined, StorageError> =>
  Effect.suspend(() =>
    // A pipe would be waited for, without end.
    isLog(path) ? Effect.acquireUseRelease(open(path), use, close) : Effect.succeed(undefined),
  ).pipe(Effect.mapError((cause) => storageError(path, cause)))

const open = (path: string) =>
  Effect.try({
    try: () => {
      const { alone, name } = wayTo(path)
      const uri = name.startsWith("file:") ? name : `${pathToFileURL(path).href}?mode=ro`
      const connection = new NativeConnection(uri, 2_000, "")
      if (!isOthers(path, alone, readWritten(connection))) return connection
      connection.close()
      throw othersWal(path)
    },
    catch: (cause) => cause,
  })

const close = (connection: NativeConnection) => Effect.sync(() => connection.close())

/** The same for what is of interest only if it can be read: what cannot be is what the check of the database tells. */
export const glance = <A>(path: string, body: (connection: Connection) => A): Effect.Effect<A | undefined> =>
  Effect.orElseSucceed(look(path, body), () => undefined)
