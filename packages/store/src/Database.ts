/** Owns the local file: opens it, brings its schema up to date, and is the only way to it. */
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { StorageError } from "@context-engine/core/Errors"
import type { Obstacle } from "@context-engine/core/EventLog"
import type { Loss } from "@context-engine/core/services/Audit"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Client } from "@libsql/client/sqlite3"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import {
  type Connection,
  isDriverError,
  leave,
  logSettings,
  NativeConnection,
  type OnCommit,
  storageError,
} from "./connection.js"
import { makeDirectory, plainPath } from "./files.js"
import { claim } from "./identify.js"
import { Keeping } from "./memory/keeping.js"
import { type LastSeen, lastSeen, type MemoryOptions } from "./memory/LogMemory.js"
import type { KeptRoot } from "./memory/roots.js"
import { type Header, headerQuery, migrate } from "./migrate.js"
import { assertOneNative } from "./native.js"
import { OpenedFile } from "./OpenedFile.js"
import { obstacleAbove, obstacleTo, refuseObstacle } from "./obstacle.js"
import { clientOf, settleFile } from "./reader.js"
import { toldFull } from "./room.js"
import * as SqlClientLayer from "./sqlClient.js"
import { tables } from "./tables.js"
import { readWritten } from "./thisFile.js"
import { type Way, wayTo } from "./writable.js"

/**
 * The database behind one log.
 *
 * `write` runs its body in one transaction that excludes every other writer of the file, in this process or another; it
 * waits its turn without blocking the event loop. `read` runs its body on the same connection, outside a transaction.
 * Queries for rows go through `SqlClient`, on a connection of its own.
 */
export class Database extends Context.Tag("@context-engine/store/Database")<
  Database,
  {
    readonly path: string
    readonly write: <A>(body: (connection: Connection) => A) => Effect.Effect<A, StorageError>
    /** A connection to the same file for one long piece of work, closed with the scope. */
    readonly dedicated: Effect.Effect<NativeConnection, StorageError, Scope.Scope>
    /** The same at once, or not at all: throws `StorageError`, also where the file is busy. */
    readonly transact: <A>(body: (connection: Connection) => A) => A
    readonly read: <A>(body: (connection: Connection) => A) => Effect.Effect<A, StorageError>
    /** Fails where the file that was opened is not at its path any more. Whatever goes past `read` and `write` asks it first. */
    readonly check: Effect.Effect<void, StorageError>
    /** What keeps everybody here from writing to the file; of a copy that a person named, and that is only looked at, nothing. */
    readonly obstacle: Effect.Effect<Obstacle | null, StorageError>
    /** What this machine remembers of the log outside its file. */
    readonly memory: Memory
  }
>() {}

/** What this machine remembers of a log; where it remembers nothing, nothing is ever missing. */
export interface Memory {
  /** What the log lacks of what was seen of it; `null` if nothing. */
  readonly look: Effect.Effect<Loss | null, StorageError>
  /** Takes the log as it is for the one to go on from, and gives what is given up. A person decides it. */
  readonly accept: Effect.Effect<Loss | null, StorageError>
  /** The roots that a person on this machine accepted in this log, and of which its file knows nothing: it was lost since. */
  readonly missingRoots: Effect.Effect<ReadonlyArray<KeptRoot>, StorageError>
}

export const noMemory: Memory = {
  look: Effect.succeed(null),
  accept: Effect.succeed(null),
  missingRoots: Effect.succeed([]),
}

export interface Options {
  /** Where this machine keeps what it has seen of its logs. Without it, a log that was replaced by an older copy looks whole. */
  readonly memory?: MemoryOptions | undefined
  /** Whether a person named the log, which then may be a copy that is only looked at. */
  readonly isNamed?: boolean | undefined
}

/** How long a call waits for its turn, behind other processes and other fibers, before it fails as busy. */
export class Patience extends Context.Reference<Patience>()("@context-engine/store/Patience", {
  defaultValue: () => Duration.seconds(15),
}) {}

/**
 * The database in a file, which is made if there is none, and taken away again where what it was made for fails and left nothing in it.
 * Gives `SqlClient` too.
 */
export const layer = (named: string, options: Options = {}): Layer.Layer<Database | SqlClient, StorageError> => {
  const path = plainPath(named)
  return Layer.unwrapScoped(
    Effect.gen(function* () {
      const made = yield* attemptOn(path, () => {
        if (!existsSync(path)) refuseObstacle(obstacleAbove(path))
        makeDirectory(dirname(path))
        return claim(path)
      })
      const file = yield* Effect.acquireRelease(
        Effect.sync(() => new OpenedFile(path)),
        (opened) => Effect.sync(() => opened.close()),
      )
      const way = yield* attemptOn(path, () => wayTo(path))
      const client = yield* Effect.acquireRelease(
        attemptOn(path, () => clientOf(way, file)),
        (opened) => Effect.sync(() => (file.isWhole ? opened.close() : leave(opened))),
      )
      const { database, keeping } = yield* makeDatabase(file, way, options)
      if (made)
        yield* Effect.addFinalizer((exit) => (exit._tag === "Success" ? Effect.void : takenAway(database, file)))
      const isIt = attemptOn(path, () => file.opened())
      const header = yield* Effect.tryPromise({
        try: () => client.execute(headerQuery),
        catch: (cause) => storageError(path, cause),
        // A file that another was put in the place of is read with what lies beside that one: it looks damaged, and is not.
      }).pipe(Effect.tapError(() => isIt))
      yield* isIt
      const found = header.rows[0] as unknown as Header
      yield* settleFile(client, { file, way, header: found, memory: options.memory?.directory })
      yield* migrate(database, found, way)
      if (!way.onlyRead) file.worksInWal()
      yield* renewViews(database, client)
      if (options.memory !== undefined) yield* compare(keeping, client, path)
      return Layer.merge(Layer.succeed(Database, database), SqlClientLayer.layer(client))
    }),
  )
}

/** Alone among all writers: whoever else has opened it finds that it was removed, before anything is committed. */
const takenAway = ({ write }: Database["Type"], file: OpenedFile): Effect.Effect<void> =>
  Effect.ignore(
    write((connection) => {
      const [held] = connection.prepare("SELECT count(*) + (SELECT log_id IS NOT NULL FROM sync) FROM events").get()
      if (held === 0) file.takeAway()
    }),
  )

/** Holds the log against what was seen of it. By the reader's connection: where it is as it was, it costs no other. */
const compare = (keeping: Keeping, client: Client, path: string): Effect.Effect<void, StorageError> =>
  Effect.flatMap(
    Effect.tryPromise({ try: () => client.execute(lastSeen), catch: (cause) => storageError(path, cause) }),
    ({ rows }) => retryWhileBusy(attemptOn(path, () => keeping.open(rows[0] as unknown as LastSeen))),
  )

const attemptOn = <A>(path: string, body: () => A) =>
  Effect.try({ try: body, catch: (cause) => storageError(path, cause) })

const makeDatabase = (file: OpenedFile, way: Way, { isNamed = false, memory }: Options) =>
  Effect.gen(function* () {
    const { path } = file
    const { name } = way
    const told = (error: StorageError): StorageError => {
      file.found(error)
      return error
    }
    const attempt = <A>(body: () => A) => Effect.mapError(attemptOn(path, body), told)
    let connection: NativeConnection | undefined
    const connect = () => {
      if (connection === undefined) {
        // SQLite would make another where it is gone.
        file.check()
        connection = new NativeConnection(name, 0, logSettings, onCommit)
        assertOneNative()
      }
      return connection
    }
    const read = <A>(body: (connection: Connection) => A): A => {
      file.check()
      return body(connect())
    }
    const keeping = new Keeping(path, memory, read)
    const onCommit = { file, committed: keeping.written }
    const check = attempt(() => file.check())
    const isWell = retryWhileBusy(
      attempt(() => {
        file.goesOn(read(readWritten))
        file.checkDamage()
      }),
    )
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        connection?.takeOver()
        keeping.close()
        connection?.close()
      }),
    )
    const database = Database.of({
      path,
      check,
      obstacle: Effect.zipRight(isWell, obstacleOf(path, way, isNamed)),
      memory: {
        look: retryWhileBusy(attempt(() => keeping.look())),
        accept: retryWhileBusy(attempt(() => keeping.accept())),
        missingRoots: retryWhileBusy(attempt(() => keeping.missingRoots())),
      },
      read: (body) => retryWhileBusy(attempt(() => read(body))),
      write: (body) => retryWhileBusy(attempt(() => connect().transact(body))),
      dedicated: openConnection(path, onCommit, name),
      transact: (body) => {
        try {
          return connect().transact(body)
        } catch (cause) {
          if (!isDriverError(cause)) throw cause
          throw told(storageError(path, cause))
        }
      },
    })
    return { database, keeping }
  })

/** What keeps from writing the file. It is asked all the time, and so writes nothing itself: a quota is told by the write that it stops. */
const obstacleOf = (path: string, { isCopy, name }: Way, isNamed: boolean) =>
  attemptOn(path, () => {
    if (isNamed && isCopy) return null
    return obstacleTo(path) ?? (name === path ? undefined : onlyRead(path)) ?? toldFull(path) ?? null
  })

/** Where nothing could be made beside it, it was opened as one that nobody changes, and stays so. */
const onlyRead = (path: string): Obstacle => ({
  reason: "unavailable",
  found: `${path} could only be read when it was opened`,
  fix: "start again what has it open (context infra serve, sync watch)",
})

/** Builds views of which this program has another version than the file. Costs one small query where there are none. */
const renewViews = (database: Database["Type"], client: Client): Effect.Effect<void, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const stored = yield* Effect.tryPromise({
      try: () => client.execute("SELECT name, version FROM projections"),
      catch: (cause) => storageError(database.path, cause),
    })
    const versions = new Map(stored.rows.map((row) => [row[0] as string, row[1] as number]))
    if (tables.every((table) => versions.get(table.name) === table.version)) return
    if (tables.some((table) => (versions.get(table.name) ?? 0) > table.version)) {
      const message = `${database.path}: its views were built by a newer context; upgrade this one`
      return yield* new StorageError({ reason: "newer-schema", message })
    }
    const { rebuildOn } = yield* Effect.promise(() => import("./rebuildOn.js"))
    yield* Effect.flatMap(database.dedicated, (connection) => rebuildOn(connection))
  })

/** A connection of its own to a file, closed with the scope. `name` is what SQLite is given, where that is not the path. */
export const openConnection = (
  path: string,
  onCommit?: OnCommit,
  name = path,
): Effect.Effect<NativeConnection, StorageError, Scope.Scope> =>
  Effect.acquireRelease(
    attemptOn(path, () => {
      onCommit?.file.check()
      return new NativeConnection(name, 5000, logSettings, onCommit)
    }),
    (connection) => Effect.sync(() => connection.close()),
  )

const retryWhileBusy = <A>(effect: Effect.Effect<A, StorageError>) => {
  const isBusy = (error: StorageError) => error.reason === "busy"
  const wait = (patience: Duration.Duration) => Schedule.upTo(Schedule.jittered(Schedule.spaced("4 millis")), patience)
  const again = Effect.flatMap(Patience, (patience) =>
    Effect.retry(effect, { while: isBusy, schedule: wait(patience) }),
  )
  return Effect.catchIf(effect, isBusy, () => again)
}
