import { DeployLogs } from "@context-engine/core/DeployLogs"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { layer } from "../src/layer.js"
import { restore } from "../src/restore.js"
import * as SqlAudit from "../src/SqlAudit.js"
import * as SqlMaintenance from "../src/SqlMaintenance.js"
import { tables } from "../src/tables.js"
import { released } from "./durability/verify.js"
import { serverAdded } from "./support/events.js"
import { freshPath, withSqlite } from "./support/files.js"

const live = (path: string) =>
  Layer.mergeAll(Registry.layer, SqlAudit.layer, SqlMaintenance.layer).pipe(Layer.provideMerge(layer(path)))

const inLog = <A, E>(path: string, story: Effect.Effect<A, E, Layer.Layer.Success<ReturnType<typeof live>>>) =>
  Effect.runPromise(Effect.provide(story, live(path)))

const rebuild = Effect.flatMap(Maintenance, (care) => care.rebuild())
const verify = Effect.flatMap(Audit, (audit) => audit.verify())

/** Adds, renames and removals that pass one name from hand to hand. */
const history = Effect.gen(function* () {
  const registry = yield* Registry
  yield* registry.servers.add({ name: "beta" })
  yield* registry.servers.add({ name: "alpha" })
  yield* registry.servers.rename("alpha", "gamma")
  yield* registry.servers.rename("beta", "alpha")
  yield* registry.services.add({ name: "api", server: "alpha", config: { replicas: 2 }, envVars: ["A"] })
  yield* registry.servers.remove("gamma")
})

describe("rebuild", () => {
  it("gives the rows that are there, when nothing was wrong", async () => {
    const path = freshPath()
    const [report, audit] = await inLog(path, Effect.zipRight(history, Effect.all([rebuild, verify])))
    expect(report).toMatchObject({ events: 6, differing: 0 })
    expect(audit).toMatchObject({ ok: true, findings: [] })
  })

  it("mends rows that were changed, added or taken by hand", async () => {
    const path = freshPath()
    await inLog(path, history)
    withSqlite(path, (database) =>
      database.exec(
        `UPDATE services SET port = 1; DELETE FROM servers; INSERT INTO routes (id, domain) VALUES ('x', 'y')`,
      ),
    )
    expect(await inLog(path, rebuild)).toMatchObject({ differing: 3 })
    expect(await inLog(path, verify)).toMatchObject({ ok: true })
  })

  it("leaves the file as it was made: the same tables, keys and indexes", async () => {
    const path = freshPath()
    const shape = () =>
      withSqlite(path, (database) =>
        database
          .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
          .all()
          .map(({ name, sql }) => `${name} ${sql}`),
      )
    await inLog(path, history)
    const before = shape()
    await inLog(path, rebuild)
    expect(shape()).toEqual(before)
  })

  it("goes on beside writers and readers, and loses nothing of theirs", async () => {
    const path = freshPath()
    const story = Effect.gen(function* () {
      const log = yield* EventLog
      const models = yield* ReadModels
      const append = (n: number) => log.append([{ stream: `server-${n}`, expected: 0, events: [serverAdded(`n${n}`)] }])
      yield* log.append(
        Array.from({ length: 3_000 }, (_, n) => ({
          stream: `server-a${n}`,
          expected: 0,
          events: [serverAdded(`a${n}`)],
        })),
      )
      const building = yield* Effect.fork(rebuild)
      const seen: Array<number> = []
      for (let n = 0; n < 50; n++) {
        yield* append(n)
        seen.push((yield* models.asOf).position)
        yield* Effect.yieldNow()
      }
      expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => 3_001 + n))
      expect(yield* Fiber.join(building)).toMatchObject({ differing: 0 })
      expect(yield* verify).toMatchObject({ ok: true, events: 3_050 })
    })
    await inLog(path, story)
  })

  it("says how far it has come", async () => {
    const path = freshPath()
    const seen: Array<unknown> = []
    const story = Effect.flatMap(Maintenance, (care) =>
      care.rebuild((progress) => Effect.sync(() => seen.push(progress))),
    )
    await inLog(path, Effect.zipRight(history, story))
    expect(seen).toEqual([{ done: 6, total: 6 }])
  })
})

describe("a projection of a new version", () => {
  it("is built when the file is opened, from a file that holds the old one", async () => {
    const path = freshPath()
    await inLog(path, history)
    withSqlite(path, (database) =>
      database.exec(`UPDATE projections SET version = 0 WHERE name = 'servers'; DELETE FROM servers; DROP TABLE servers;
        CREATE TABLE servers (id TEXT NOT NULL PRIMARY KEY, an_old_column TEXT) STRICT, WITHOUT ROWID`),
    )
    const names = Effect.flatMap(ReadModels, (models) => models.servers.list())
    expect((await inLog(path, names)).map((row) => row.name)).toEqual(["alpha"])
    expect(await inLog(path, verify)).toMatchObject({ ok: true })
  })
})

describe("backup", () => {
  it("is a whole log, taken while others write", async () => {
    const [path, into] = [freshPath(), freshPath()]
    const story = Effect.gen(function* () {
      const log = yield* EventLog
      const writing = yield* Effect.fork(
        Effect.forEach(Array.from({ length: 200 }), (_, n) =>
          log.append([{ stream: `server-${n}`, expected: 0, events: [serverAdded(`n${n}`)] }]),
        ),
      )
      yield* Effect.flatMap(Maintenance, (care) => care.backup(into))
      yield* Fiber.join(writing)
    })
    await inLog(path, story)
    expect(await inLog(into, verify)).toMatchObject({ ok: true })
    expect(tables.length).toBe(8)
  })

  it("takes along what deployments printed, and puts it back", async () => {
    const [path, into] = [freshPath(), freshPath()]
    const print = (id: string, text: string) =>
      Effect.scoped(Effect.flatMap(DeployLogs, ({ write }) => Effect.flatMap(write(id), (say) => say(text))))
    const printed = (at: string, id: string) =>
      inLog(
        at,
        Effect.flatMap(DeployLogs, ({ read }) => read(id)),
      )
    await inLog(path, Effect.zipRight(history, print("one", "hello\n")))
    await inLog(
      path,
      Effect.flatMap(Maintenance, (care) => care.backup(into)),
    )
    expect(await printed(into, "one")).toBe("hello\n")
    await inLog(path, print("two", "later\n"))
    await released(path)
    const aside = (await Effect.runPromise(restore(into, path))) as string
    expect([await printed(path, "one"), await printed(path, "two")]).toEqual(["hello\n", undefined])
    expect([await printed(aside, "one"), await printed(aside, "two")]).toEqual(["hello\n", "later\n"])
  })

  it("never writes over a file", async () => {
    const path = freshPath()
    await inLog(path, history)
    const error = await inLog(path, Effect.flip(Effect.flatMap(Maintenance, (care) => care.backup(path))))
    expect(error.message).toContain("exists already")
  })
})
