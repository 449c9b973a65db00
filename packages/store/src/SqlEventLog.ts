/** The log over libSQL: one append is one transaction of events, rows and checkpoint. */
import { type StorageError, UniqueViolation, VersionConflict } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import { EventLog, type ReadOptions } from "@context-engine/core/EventLog"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { append, readHead, seal } from "./append.js"
import { CommitQueue } from "./CommitQueue.js"
import { Database } from "./Database.js"
import { columns, decode, type EventRow } from "./record.js"

/** The log in the local database. */
export const layer: Layer.Layer<EventLog, never, Database> = Layer.effect(
  EventLog,
  Effect.gen(function* () {
    const database = yield* Database
    const queue = new CommitQueue(database.transact)
    const head = database.read((connection) => readHead(connection).position)
    const page: Page = (options, size) =>
      database.read((connection) =>
        connection
          .prepare(`SELECT ${columns} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`)
          .all(options.after ?? 0, options.until ?? Number.MAX_SAFE_INTEGER, size)
          .map((row) => decode(row as EventRow)),
      )
    return EventLog.of({
      append: (appends, options = {}) => {
        const sealed = seal(appends)
        return queue.run({
          body: (connection) => append(connection, appends, sealed, null, options),
          refuses: (error) => error instanceof VersionConflict || error instanceof UniqueViolation,
        })
      },
      head,
      readAll: (options = {}) => {
        const until = options.until === undefined ? head : Effect.succeed(options.until)
        return Stream.unwrap(Effect.map(until, (last) => pages(page, options.after ?? 0, last)))
      },
      read: (stream, options = {}) =>
        database.read((connection) =>
          connection
            .prepare(
              `SELECT ${columns} FROM events WHERE stream = ? AND version > ? AND position <= ? ORDER BY version`,
            )
            .all(stream, options.after ?? 0, options.until ?? Number.MAX_SAFE_INTEGER)
            .map((row) => decode(row as EventRow)),
        ),
      positionAt: (instant) =>
        database.read((connection) => {
          const row = connection
            .prepare("SELECT position FROM events WHERE recorded_at <= ? ORDER BY position DESC LIMIT 1")
            .get(instant)
          return row === undefined ? 0 : (row[0] as number)
        }),
      changes: Stream.unwrap(Effect.map(head, (from) => follow(page, from))),
    })
  }),
)

type Page = (options: ReadOptions, size: number) => Effect.Effect<ReadonlyArray<Recorded>, StorageError>

const pageSize = 1_000

/** The log from after one position up to another, a page in memory at a time. */
const pages = (page: Page, from: number, until: number): Stream.Stream<Recorded, StorageError> =>
  Stream.paginateChunkEffect(from, (after) =>
    Effect.map(page({ after, until }, pageSize), (events) => [
      Chunk.unsafeFromArray(events),
      events.length < pageSize ? Option.none() : Option.some((events[events.length - 1] as Recorded).position),
    ]),
  )

/** Everything after a position, for ever: other processes write too, so it looks five times a second. */
const follow = (page: Page, from: number): Stream.Stream<Recorded, StorageError> => {
  let after = from
  const next = Effect.map(
    Effect.suspend(() => page({ after }, pageSize)),
    (events) => {
      after = events[events.length - 1]?.position ?? after
      return events
    },
  )
  return Stream.repeatEffectWithSchedule(next, Schedule.spaced("200 millis")).pipe(Stream.mapConcat((events) => events))
}
