import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { EventLog } from "@context-engine/core/EventLog"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { layer } from "../src/layer.js"
import { genesis, hashOf } from "../src/record.js"
import { damaged } from "./support/audited.js"
import { serverAdded } from "./support/events.js"
import { freshPath, withSqlite } from "./support/files.js"

const append = (path: string, ...names: ReadonlyArray<string>) =>
  Effect.runPromise(
    Effect.forEach(names, (name) =>
      Effect.flatMap(EventLog, (log) =>
        log.append([{ stream: `server-${name}`, expected: 0, events: [serverAdded(name)] }]),
      ),
    ).pipe(Effect.provide(layer(path))),
  )

const head = (path: string) =>
  Effect.runPromise(Effect.flip(Effect.flatMap(EventLog, (log) => log.head).pipe(Effect.provide(layer(path)))))

describe("a file that is no log of ours is refused, and left as it was", () => {
  it("text", async () => {
    const path = damaged(freshPath())
    writeFileSync(path, "this is not a database, but it is long enough to be looked at as one".repeat(20))
    const before = readFileSync(path)
    expect(await head(path)).toMatchObject({ _tag: "StorageError", reason: "not-a-database" })
    expect(readFileSync(path)).toEqual(before)
  })

  it("another program's database", async () => {
    const path = freshPath()
    withSqlite(path, (database) => database.exec("CREATE TABLE songs (title TEXT)"))
    expect(await head(path)).toMatchObject({ _tag: "StorageError", reason: "foreign" })
    expect(withSqlite(path, (database) => database.prepare("SELECT name FROM sqlite_schema").all().length)).toBe(1)
  })

  it("a log of a newer version", async () => {
    const path = freshPath()
    await append(path, "a")
    withSqlite(path, (database) => database.exec("PRAGMA user_version = 99"))
    const error = await head(path)
    expect(error).toMatchObject({ _tag: "StorageError", reason: "newer-schema" })
    expect(error.message).toContain("upgrade")
  })

  it("a directory", async () => {
    const path = damaged(freshPath())
    mkdirSync(path)
    expect(await head(path)).toMatchObject({ _tag: "StorageError", reason: "unavailable" })
  })
})

describe("a file that is made for what then fails", () => {
  const failing = (path: string, before: Effect.Effect<unknown, unknown, EventLog> = Effect.void) =>
    Effect.runPromise(
      Effect.zipRight(before, Effect.fail("refused")).pipe(Effect.provide(layer(path)), Effect.flip, Effect.asVoid),
    )
  const adding = Effect.flatMap(EventLog, (log) =>
    log.append([{ stream: "server-a", expected: 0, events: [serverAdded("a")] }]),
  )

  it("is taken away again, with what lies beside it", async () => {
    const path = freshPath()
    await failing(path)
    expect(readdirSync(dirname(path))).toEqual([])
    await append(path, "a")
    await failing(path)
    expect(existsSync(path)).toBe(true)
  })

  it("stays where something was written into it, by whoever it was", async () => {
    const [own, others] = [freshPath(), freshPath()]
    await failing(own, adding)
    await failing(
      others,
      Effect.promise(() => append(others, "a")),
    )
    for (const path of [own, others])
      expect(withSqlite(path, (found) => found.prepare("SELECT type FROM events").all().length)).toBe(1)
  })

  it("is told as removed to whoever has opened it meanwhile, before that writes", async () => {
    const path = freshPath()
    const story = Effect.gen(function* () {
      const [maker, other] = [yield* Scope.make(), yield* Scope.make()]
      yield* Layer.buildWithScope(layer(path), maker)
      const opened = yield* Layer.buildWithScope(layer(path), other)
      yield* Scope.close(maker, Exit.fail("refused"))
      expect(existsSync(path)).toBe(false)
      const error = yield* Effect.flip(Effect.provide(adding, opened))
      expect(error).toMatchObject({ reason: "replaced" })
      expect(existsSync(path)).toBe(false)
      yield* Scope.close(other, Exit.void)
    })
    await Effect.runPromise(story)
    await append(path, "a")
  })
})

describe("the file binds every program that opens it", () => {
  const attempts = [
    ["changing an event", "UPDATE events SET type = 'x' WHERE position = 1"],
    ["deleting an event", "DELETE FROM events WHERE position = 2"],
    ["replacing an event at its position", insert("OR REPLACE", 1, "'new-id'", "'s'", 1)],
    ["replacing an event by its id", insert("OR REPLACE", 4, "(SELECT id FROM events WHERE position = 1)", "'s'", 1)],
    ["leaving a gap in the positions", insert("", 9, "'new-id'", "'s'", 1)],
    ["leaving a gap in a stream", insert("", 4, "'new-id'", "'s'", 2)],
    ["a position before the last", insert("", 0, "'new-id'", "'s'", 1)],
  ] as const

  it.each(attempts)("refuses %s", async (_, sql) => {
    const path = freshPath()
    await append(path, "a", "b", "c")
    const dump = () =>
      withSqlite(path, (database) =>
        database
          .prepare("SELECT * FROM events")
          .all()
          .map((row) => ({ ...row, _metadata: 0 })),
      )
    const before = dump()
    expect(() => withSqlite(path, (database) => database.exec(sql))).toThrow(/append-only|no gaps/)
    expect(dump()).toEqual(before)
  })
})

function insert(how: string, position: number, id: string, stream: string, version: number): string {
  return `INSERT ${how} INTO events VALUES (${position}, ${id}, ${stream}, ${version}, 't', 1, '{}', '{}', '', '', '', NULL, NULL, NULL)`
}

describe("the hash chain", () => {
  it("covers every event from the first", async () => {
    const path = freshPath()
    await append(path, "a", "b", "c")
    const rows = withSqlite(path, (database) => database.prepare("SELECT * FROM events ORDER BY position").all())
    let previous = genesis
    for (const row of rows) {
      const { _metadata, ...columns } = row
      expect(hashOf(previous, Object.values(columns) as never)).toBe(row.hash)
      previous = row.hash
    }
    expect(rows.length).toBe(3)
  })
})

describe("reading the whole log", () => {
  it("goes page by page, past the size of a page", async () => {
    const path = freshPath()
    const events = Array.from({ length: 1_203 }, (_, i) => serverAdded(`n${i}`))
    const count = Effect.gen(function* () {
      const log = yield* EventLog
      yield* log.append(events.map((event, i) => ({ stream: `server-${i}`, expected: 0, events: [event] })))
      const all = yield* Stream.runCount(log.readAll())
      const some = yield* Stream.runCount(log.readAll({ after: 200, until: 1_200 }))
      return [all, some]
    })
    expect(await Effect.runPromise(Effect.provide(count, layer(path)))).toEqual([1_203, 1_000])
  })
})
