/** The log over libSQL: one append is one transaction of events, rows and checkpoint. */

import { type StorageError, UniqueViolation, VersionConflict } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import { EventLog, type ReadOptions, type StreamAppend } from "@context-engine/core/EventLog"
import { isoTime } from "@context-engine/core/Time"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { append, seal } from "./append.js"
import { CommitQueue } from "./CommitQueue.js"
import type { Connection } from "./connection.js"
import { Database } from "./Database.js"
import { follow } from "./follow.js"
import { HeadCache } from "./HeadCache.js"
import { believedAt, cutAt, wholeUntil } from "./happened.js"
import { checkWritable, checkWriter } from "./mayWrite.js"
import { decode, type StoredRow, stored } from "./record.js"
import { checkRoom } from "./room.js"
import { loadSigner, type Signer } from "./Signer.js"
import { readHead, readShared } from "./standing.js"
import { readNames, readShown } from "./trust/names.js"

export interface Options {
  /** The file with this machine's key. Without one, what is appended is not signed. */
  readonly keyPath?: string
  /** Told once the first event of a log that had none is in it. */
  readonly onBegin?: (() => void) | undefined
}

/** The log in the local database. */
export const layer = (options: Options = {}): Layer.Layer<EventLog, never, Database> =>
  Layer.effect(
    EventLog,
    Effect.map(Database, (database) => make(database, options)),
  )

const make = (database: Database["Type"], options: Options): EventLog["Type"] => {
  const head = database.read((connection) => readHead(connection).position)
  const page: Page = (options, size) =>
    database.read((connection) =>
      connection
        .prepare(`SELECT ${stored} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?`)
        .all(options.after ?? 0, options.until ?? Number.MAX_SAFE_INTEGER, size)
        .map((row) => decode(row as StoredRow)),
    )
  const timeOf = (connection: Connection) => Date.now() + readShared(connection).skew
  return EventLog.of({
    ...makeAppend(database, options),
    head,
    obstacle: database.obstacle,
    rebases: database.read((connection) => readShared(connection).rebases),
    readAll: (options = {}) => {
      const until = options.until === undefined ? head : Effect.succeed(options.until)
      const all = Stream.unwrap(Effect.map(until, (last) => pages(page, options.after ?? 0, last)))
      const { skip } = options
      return skip === undefined || skip.size === 0 ? all : Stream.filter(all, ({ position }) => !skip.has(position))
    },
    read: (stream, options = {}) =>
      database.read((connection) =>
        connection
          .prepare(`SELECT ${stored} FROM events WHERE stream = ? AND version > ? AND position <= ? ORDER BY version`)
          .all(stream, options.after ?? 0, options.until ?? Number.MAX_SAFE_INTEGER)
          .map((row) => decode(row as StoredRow))
          .filter(({ position }) => !options.skip?.has(position)),
      ),
    positionAt: (instant) =>
      database.read((connection) => {
        const row = connection
          .prepare("SELECT position FROM events WHERE recorded_at <= ? ORDER BY position DESC LIMIT 1")
          .get(instant)
        return row === undefined ? 0 : (row[0] as number)
      }),
    wholeUntil: (position) => database.read((connection) => wholeUntil(connection, position)),
    cutAt: (instant) => database.read((connection) => cutAt(connection, instant, isoTime(timeOf(connection)))),
    believedAt: (positions) =>
      database.read((connection) => believedAt(connection, positions, isoTime(timeOf(connection)))),
    now: database.read(timeOf),
    machineNames: database.read(readNames),
    machinesShown: database.read(readShown),
    changes: Stream.unwrap(Effect.map(head, (from) => follow(database, from))),
  })
}

/** Appends go through the queue. With a key they are signed, within the transaction that gives them their place. */
const makeAppend = (
  database: Database["Type"],
  { keyPath, onBegin }: Options,
): Pick<EventLog["Type"], "append" | "ready"> => {
  const queue = new CommitQueue(database.transact)
  const cache = new HeadCache()
  let signer: Signer | undefined
  // Not known before the first append, and never true again after it.
  let begins: boolean | undefined = onBegin === undefined ? false : undefined
  const begun = Effect.sync(() => {
    if (begins) onBegin?.()
    begins = false
  })
  const attempt = <A>(body: () => A) => Effect.try({ try: body, catch: (error) => error as StorageError })
  const load = () => {
    if (keyPath !== undefined) signer ??= loadSigner(keyPath)
  }
  const prepare = (appends: ReadonlyArray<StreamAppend>) =>
    attempt(() => {
      load()
      return seal(appends)
    })
  return {
    append: (appends, options = {}) =>
      Effect.flatMap(prepare(appends), (drafts) =>
        queue.run<ReadonlyArray<Recorded>, VersionConflict | UniqueViolation>({
          body: (connection) => {
            begins ??= readHead(connection).position === 0
            return append(connection, appends, drafts, signer, options, cache)
          },
          refuses: (error) => error instanceof VersionConflict || error instanceof UniqueViolation,
        }),
      ).pipe(Effect.zipLeft(begun)),
    // Through the queue as well: a file that was replaced is found out by a transaction.
    ready: attempt(load).pipe(
      Effect.flatMap(() =>
        queue.run<void, never>({ body: (connection) => checkReady(connection, signer), refuses: () => false }),
      ),
      Effect.zipRight(attempt(() => checkRoom(database.path))),
    ),
  }
}

const checkReady = (connection: Connection, signer: Signer | undefined): void => {
  checkWriter(connection, signer)
  checkWritable(connection)
}

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
