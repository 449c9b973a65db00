/** Takes events over from elsewhere, as they are, with their rows: what imports and replays do. All of them or none. */
import { InvalidInput, type StorageError, UniqueViolation } from "@context-engine/core/Errors"
import { projections } from "@context-engine/core/views/all"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { insertRows, readHead, readShared } from "./append.js"
import { isDriverError, type NativeConnection, storageError } from "./connection.js"
import { decode, type EventRow, hashOf } from "./record.js"
import { writeRows } from "./rows.js"

type TakeOverError = StorageError | InvalidInput

/**
 * Appends rows of another log to one that is empty or a beginning of it, in one transaction. Each must continue the chain.
 * Gives how many were new.
 */
export const takeOver = (
  connection: NativeConnection,
  rows: Stream.Stream<EventRow, TakeOverError>,
): Effect.Effect<number, TakeOverError> =>
  Effect.acquireUseRelease(
    attempt(connection, () => connection.begin()),
    () => {
      const start = readHead(connection)
      let head = { position: start.position, hash: start.hash }
      const { confirmed } = readShared(connection)
      const take = (chunk: ReadonlyArray<EventRow>) => {
        const fresh = chunk.filter((row) => !isKnown(connection, start.position, row))
        for (const row of fresh) head = follow(head, row)
        insertRows(connection, fresh)
        writeRows(connection, projections, fresh.map(decode), { keepAsOf: confirmed })
        connection.prepare("UPDATE checkpoint SET position = ?").run(head.position)
      }
      return Stream.runForEachChunk(Stream.rechunk(rows, 500), (chunk) =>
        attempt(connection, () => take(Chunk.toReadonlyArray(chunk))),
      ).pipe(
        Effect.zipRight(attempt(connection, () => connection.commit())),
        Effect.map(() => head.position - start.position),
      )
    },
    // There is something to undo only where it did not come to the commit.
    () => Effect.sync(() => connection.rollback()),
  )

const follow = (head: { readonly position: number; readonly hash: string }, row: EventRow) => {
  const [position] = row
  if (position !== head.position + 1) throw broken(`position ${head.position + 1} is missing`)
  if (hashOf(head.hash, row) !== row[10]) throw broken(`the chain breaks at position ${position}`)
  return { position, hash: row[10] }
}

/** Whether an event is here already. One that differs makes this another log. */
const isKnown = (connection: NativeConnection, until: number, row: EventRow): boolean => {
  if (row[0] > until) return false
  const [hash] = connection.prepare("SELECT hash FROM events WHERE position = ?").get(row[0])
  if (hash === row[10]) return true
  throw broken(`this log has another event at position ${row[0]}: it is not the same log`)
}

const broken = (reason: string) => new InvalidInput({ field: "", reason: `nothing was taken over: ${reason}` })

const attempt = <A>(connection: NativeConnection, body: () => A): Effect.Effect<A, TakeOverError> =>
  Effect.try({
    try: body,
    catch: (error) => {
      if (error instanceof InvalidInput) return error
      if (error instanceof UniqueViolation) return broken(error.message)
      if (isDriverError(error) && /gap|append-only/.test((error as Error).message))
        return broken((error as Error).message)
      return storageError(connection.path, error)
    },
  })
