/** The log over libSQL: one append is one transaction of events, rows and checkpoint. */
import { StorageError, UniqueViolation, VersionConflict } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import { type AppendOptions, EventLog, type ReadOptions, type StreamAppend } from "@context-engine/core/EventLog"
import { projections as allProjections } from "@context-engine/core/views/all"
import type * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { canonicalJson } from "./canonical.js"
import type { Connection } from "./connection.js"
import { Database } from "./Database.js"
import { columns, decode, type EventRow, genesis, hashOf } from "./record.js"
import { writeRows } from "./rows.js"

type AppendError = VersionConflict | UniqueViolation | StorageError

/** One append that waits for its transaction. */
interface Pending {
  readonly appends: ReadonlyArray<StreamAppend>
  readonly options: AppendOptions
  readonly resume: (result: Effect.Effect<ReadonlyArray<Recorded>, AppendError>) => void
}

/** The log in the local database, folding every event into the given projections. */
export const layer: Layer.Layer<EventLog, never, Database> = Layer.effect(
  EventLog,
  Effect.gen(function* () {
    const database = yield* Database
    const queue: Array<Pending> = []
    let flushing = false

    /** Commits everything that waits, together: one fsync for all of it. */
    const flush: Effect.Effect<void> = Effect.gen(function* () {
      while (queue.length > 0) {
        const group = queue.splice(0, 64)
        const results = yield* Effect.exit(database.write((connection) => appendGroup(connection, group)))
        group.forEach((pending, index) => {
          if (results._tag === "Success") pending.resume(results.value[index] as never)
          else pending.resume(Effect.failCause(results.cause as Cause.Cause<StorageError>))
        })
      }
      flushing = false
    })

    const append = (appends: ReadonlyArray<StreamAppend>, options: AppendOptions = {}) =>
      Effect.uninterruptible(
        Effect.async<ReadonlyArray<Recorded>, AppendError>((resume) => {
          queue.push({ appends, options, resume })
          if (flushing) return
          flushing = true
          // Let every fiber that is ready now put its append into the same transaction.
          setImmediate(() => Effect.runFork(flush))
        }),
      )

    const head = database.read((connection) => readHead(connection).position)
    const page = (options: ReadOptions, size: number) =>
      database.read((connection) =>
        connection
          .prepare(`SELECT ${columns} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`)
          .all(options.after ?? 0, options.until ?? Number.MAX_SAFE_INTEGER, size)
          .map((row) => decode(row as EventRow)),
      )

    const readAll = (options: ReadOptions = {}): Stream.Stream<Recorded, StorageError> =>
      Stream.unwrap(
        Effect.map(options.until === undefined ? head : Effect.succeed(options.until), (until) =>
          Stream.paginateChunkEffect(options.after ?? 0, (after) =>
            Effect.map(page({ after, until }, pageSize), (events) => [
              Chunk.unsafeFromArray(events),
              events.length < pageSize ? Option.none() : Option.some((events[events.length - 1] as Recorded).position),
            ]),
          ),
        ),
      )

    return EventLog.of({
      append,
      head,
      readAll,
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

const pageSize = 500

/** Everything after a position, for ever: other processes write too, so it looks five times a second. */
const follow = (
  page: (options: ReadOptions, size: number) => Effect.Effect<ReadonlyArray<Recorded>, StorageError>,
  from: number,
): Stream.Stream<Recorded, StorageError> => {
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

interface Head {
  readonly position: number
  readonly hash: string
  readonly recordedAt: string
}

const readHead = (connection: Connection): Head => {
  const row = connection.prepare("SELECT position, hash, recorded_at FROM events ORDER BY position DESC LIMIT 1").get()
  return row === undefined
    ? { position: 0, hash: genesis, recordedAt: "" }
    : { position: row[0], hash: row[1], recordedAt: row[2] }
}

type Outcome = Effect.Effect<ReadonlyArray<Recorded>, AppendError>

/** Appends for several callers in one transaction. One caller's refusal undoes that caller's part only. */
const appendGroup = (connection: Connection, group: ReadonlyArray<Pending>): ReadonlyArray<Outcome> =>
  group.map(({ appends, options }): Outcome => {
    connection.exec("SAVEPOINT one")
    try {
      const recorded = appendOne(connection, appends, options)
      connection.exec("RELEASE one")
      return Effect.succeed(recorded)
    } catch (error) {
      if (!(error instanceof VersionConflict || error instanceof UniqueViolation)) throw error
      connection.exec("ROLLBACK TO one; RELEASE one")
      return Effect.fail(error)
    }
  })

const appendOne = (
  connection: Connection,
  appends: ReadonlyArray<StreamAppend>,
  options: AppendOptions,
): ReadonlyArray<Recorded> => {
  const before = readHead(connection)
  if (options.head !== undefined && options.head !== before.position) {
    throw new VersionConflict({ stream: "the log", expected: options.head, actual: before.position })
  }
  const known = alreadyThere(connection, appends)
  if (known !== undefined) return known
  const recorded = insertEvents(connection, appends, before)
  writeRows(connection, allProjections, recorded)
  const last = recorded[recorded.length - 1]
  if (last !== undefined) connection.prepare("UPDATE projections SET position = ?").run(last.position)
  return recorded
}

const insertEvents = (connection: Connection, appends: ReadonlyArray<StreamAppend>, before: Head): Array<Recorded> => {
  const now = new Date().toISOString()
  // The clock may have gone back; `--at` needs times that never do.
  const recordedAt = now > before.recordedAt ? now : before.recordedAt
  const insert = connection.prepare(`INSERT INTO events (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const recorded: Array<Recorded> = []
  let { hash, position } = before
  for (const { events, expected, stream } of appends) {
    let version = connection.prepare("SELECT max(version) FROM events WHERE stream = ?").get(stream)[0] ?? 0
    if (expected !== "any" && expected !== version) throw new VersionConflict({ stream, expected, actual: version })
    for (const event of events) {
      position += 1
      version += 1
      const data = canonicalJson(event.data)
      const meta = canonicalJson(event.meta)
      const fixed = [position, event.id, stream, version, event.type, event.schema, data, meta] as const
      hash = hashOf(hash, [...fixed, event.occurredAt, recordedAt, "", null])
      insert.run(...fixed, event.occurredAt, recordedAt, hash, null)
      recorded.push({ ...event, position, stream, version, recordedAt, hash, signature: null })
    }
  }
  return recorded
}

/** The events themselves, if this very append was made before: its answer was lost, so it is given again. */
const alreadyThere = (
  connection: Connection,
  appends: ReadonlyArray<StreamAppend>,
): ReadonlyArray<Recorded> | undefined => {
  const events = appends.flatMap(({ events, stream }) => events.map((event) => ({ ...event, stream })))
  const find = connection.prepare(`SELECT ${columns} FROM events WHERE id = ?`)
  const found = events.map((event) => find.get(event.id) as EventRow | undefined)
  if (found.every((row) => row === undefined)) return undefined
  return events.map((event, index) => {
    const row = found[index]
    const same =
      row !== undefined && row[2] === event.stream && row[4] === event.type && row[6] === canonicalJson(event.data)
    if (same) return decode(row)
    throw new StorageError({
      reason: "corrupt",
      message: `event ${event.id} is already in the log with other content: two writers made the same id`,
    })
  })
}
