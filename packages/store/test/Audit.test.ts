import { statSync } from "node:fs"
import { EventLog } from "@context-engine/core/EventLog"
import { Origin } from "@context-engine/core/Origin"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Audit, type AuditReport } from "@context-engine/core/services/Audit"
import { Machines } from "@context-engine/core/services/Machines"
import { Registry } from "@context-engine/core/services/Registry"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { layer } from "../src/layer.js"
import { loadSigner } from "../src/Signer.js"
import * as SqlAudit from "../src/SqlAudit.js"
import * as SqlMachines from "../src/SqlMachines.js"
import { damaged, withNoise } from "./support/audited.js"
import { enrol } from "./support/enrolment.js"
import { freshPath, withSqlite } from "./support/files.js"

type Log = EventLog | ReadModels | Registry | Audit

const live = (path: string, keyPath = `${path}.key`) =>
  Layer.merge(Registry.layer, SqlAudit.layer).pipe(Layer.provideMerge(layer(path, { keyPath })))

const inLog = <A, E>(path: string, story: Effect.Effect<A, E, Log>) =>
  Effect.runPromise(
    story.pipe(
      Effect.provide(live(path)),
      Effect.provideService(Origin, { actor: "ada", via: "cli", machine: "laptop" }),
    ),
  )

/** A machine joins at position 1; two servers, a service, a rename: positions 2 to 5. */
const history = Effect.gen(function* () {
  const registry = yield* Registry
  yield* registry.servers.add({ name: "alpha" })
  yield* registry.servers.add({ name: "beta" })
  yield* registry.services.add({ name: "api", server: "alpha" })
  yield* registry.servers.rename("beta", "gamma")
})

const verify = Effect.flatMap(Audit, (audit) => audit.verify())

/** The report on a history that somebody else then changed by SQL. */
const tampered = async (sql: string): Promise<AuditReport> => {
  const path = damaged(freshPath())
  await inLog(path, history)
  withSqlite(path, (database) => database.exec(sql))
  return inLog(path, verify)
}

const withoutTriggers = `DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete; DROP TRIGGER events_append_only;`

const places = (report: AuditReport) => report.findings.map(({ kind, position }) => `${kind} ${position ?? "-"}`)

describe("a log that nobody touched", () => {
  it("holds, and every event is its machine's", async () => {
    const path = freshPath()
    const report = await inLog(path, Effect.zipRight(history, verify))
    expect(report).toMatchObject({ ok: true, findings: [], events: 5, signed: 5, unsigned: 0, unknownTypes: {} })
    expect(report.machines).toMatchObject([{ events: 5 }])
    expect(report.rows).toBeGreaterThan(3)
  })

  it("was signed with a key that only its owner can read", async () => {
    const path = freshPath()
    await inLog(path, history)
    expect(statSync(`${path}.key`).mode & 0o777).toBe(0o600)
  })

  it("may have been written by several machines", async () => {
    const path = freshPath()
    const key = `${path}.other`
    await inLog(
      path,
      Effect.zipRight(
        history,
        Effect.suspend(() => enrol({ ...loadSigner(key), name: "other" })),
      ),
    )
    const other = Effect.flatMap(Registry, (registry) => registry.servers.add({ name: "delta" }))
    await Effect.runPromise(Effect.provide(other, live(path, key)))
    expect((await inLog(path, verify)).machines.map((machine) => machine.events)).toEqual([6, 1])
  })

  it("shows how far the walk has come", async () => {
    const path = freshPath()
    const seen: Array<number> = []
    const walk = Effect.flatMap(Audit, (audit) => audit.verify(({ done }) => Effect.sync(() => seen.push(done))))
    await inLog(path, Effect.zipRight(history, walk))
    expect(seen).toEqual([5])
  })
})

describe("what somebody changed is found, and where", () => {
  it("an event's data", async () => {
    const report = await tampered(
      `${withoutTriggers} UPDATE events SET data = replace(data, 'alpha', 'omega') WHERE position = 2`,
    )
    expect(places(report)).toEqual(expect.arrayContaining(["chain 2", "signature 2", "row -"]))
    expect(report.findings[0]?.position).toBe(2)
  })

  it("an event's actor", async () => {
    const report = await tampered(
      `${withoutTriggers} UPDATE events SET meta = replace(meta, 'ada', 'eve') WHERE position = 4`,
    )
    expect(places(report)).toEqual(expect.arrayContaining(["chain 4", "inert 4"]))
  })

  it("a deleted event", async () => {
    const report = await tampered(`${withoutTriggers} DELETE FROM events WHERE position = 3`)
    expect(places(report)).toEqual(expect.arrayContaining(["gap 3", "stream 5", "row -"]))
  })

  it("a deleted end", async () => {
    const report = await tampered(`${withoutTriggers} DELETE FROM events WHERE position = 5`)
    expect(places(report)).toEqual(expect.arrayContaining(["checkpoint 4", "row -"]))
  })

  it("two events that changed places", async () => {
    const report = await tampered(
      `${withoutTriggers} UPDATE events SET position = 99 WHERE position = 2; UPDATE events SET position = 2 WHERE position = 3; UPDATE events SET position = 3 WHERE position = 99`,
    )
    expect(report.findings[0]).toMatchObject({ kind: "chain", position: 2 })
  })

  it("an event that was replaced", async () => {
    const report = await tampered(
      `${withoutTriggers} INSERT OR REPLACE INTO events SELECT position, 'other', stream, version, type, schema, data, meta, occurred_at, recorded_at, hash, signature, salt, digest FROM events WHERE position = 3`,
    )
    expect(places(report)).toEqual(expect.arrayContaining(["chain 3", "inert 3"]))
  })

  it("a time of the shared log that was put back", async () => {
    const report = await tampered(
      `${withoutTriggers} UPDATE sync SET log_id = 'shared', position = 5; UPDATE events SET recorded_at = '2000-01-01T00:00:00.000Z' WHERE position = 4`,
    )
    expect(places(report)).toContain("chain 4")
  })

  it("a whole chain that was made anew, by the signatures", async () => {
    const path = damaged(freshPath())
    await inLog(path, history)
    const { digestOf, genesis, hashOf } = await import("../src/record.js")
    withSqlite(path, (database) => {
      database.exec(`${withoutTriggers} UPDATE events SET data = replace(data, 'alpha', 'omega') WHERE position = 2`)
      const changed = database.prepare("SELECT salt, data FROM events WHERE position = 2").get()
      database.exec(`UPDATE events SET digest = '${digestOf(changed.salt, changed.data)}' WHERE position = 2`)
      let previous = genesis
      for (const row of database.prepare("SELECT * FROM events ORDER BY position").all()) {
        const { _metadata, ...columns } = row
        previous = hashOf(previous, Object.values(columns) as never)
        database.exec(`UPDATE events SET hash = '${previous}' WHERE position = ${row.position}`)
      }
    })
    const report = await inLog(path, verify)
    expect(report.findings.filter(({ kind }) => kind === "chain")).toEqual([])
    expect(places(report)).toContain("inert 2")
  })

  it("a trigger that was dropped", async () => {
    const report = await tampered("DROP TRIGGER events_no_update")
    expect(report.findings).toMatchObject([{ kind: "trigger", message: expect.stringContaining("events_no_update") }])
  })

  it("a trigger that was weakened", async () => {
    const report = await tampered(
      "DROP TRIGGER events_no_delete; CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT 1; END",
    )
    expect(places(report)).toEqual(["trigger -"])
  })

  it("a row that was changed by hand, with its fields", async () => {
    const report = await tampered("UPDATE services SET port = 6666 WHERE name = 'api'")
    expect(report.findings).toMatchObject([
      { kind: "row", message: "row api of services is not what the events say: port" },
    ])
  })

  it("a row that was added, and one that was taken", async () => {
    const report = await tampered(
      "INSERT INTO routes (id, domain, path, method) VALUES ('x', 'evil.example.com', '/', '*'); DELETE FROM servers WHERE name = 'gamma'",
    )
    expect(report.findings.map((finding) => finding.message)).toEqual([
      "row gamma of servers is missing",
      "row evil.example.com of routes is in no event",
    ])
  })

  it("an event that is not JSON any more", async () => {
    const report = await tampered(`${withoutTriggers} UPDATE events SET data = '{' WHERE position = 2`)
    expect(places(report)).toEqual(expect.arrayContaining(["chain 2", "signature 2"]))
  })
})

describe("export and import", () => {
  const exported = Effect.flatMap(Audit, (audit) => Effect.map(Stream.runCollect(audit.export), Chunk.toReadonlyArray))
  const importing = (lines: ReadonlyArray<string>) =>
    Effect.flatMap(Audit, (audit) => audit.import(Stream.fromIterable(lines)))

  it("gives the same bytes for the same log, and the same log for the same bytes", async () => {
    const [here, there] = [freshPath(), freshPath()]
    const lines = await inLog(here, Effect.zipRight(history, exported))
    expect(await inLog(here, exported)).toEqual(lines)
    expect(await inLog(there, importing(lines))).toEqual({ events: 5, inert: 0 })
    expect(await inLog(there, exported)).toEqual(lines)
    expect(await inLog(there, verify)).toMatchObject({ ok: true, events: 5, signed: 5 })
    const names = Effect.flatMap(ReadModels, (models) => models.servers.list())
    expect((await inLog(there, names)).map((row) => row.name)).toEqual(["alpha", "gamma"])
  })

  it("continues a log that is a beginning of it", async () => {
    const there = freshPath()
    const lines = await inLog(freshPath(), Effect.zipRight(history, exported))
    expect(await inLog(there, importing(lines.slice(0, 3)))).toEqual({ events: 3, inert: 0 })
    expect(await inLog(there, importing(lines))).toEqual({ events: 2, inert: 0 })
    expect(await inLog(there, importing(lines))).toEqual({ events: 0, inert: 0 })
    expect(await inLog(there, verify)).toMatchObject({ ok: true, events: 5 })
  })

  it("leaves a second root to a person, and holds when that was done", async () => {
    const [here, there] = [freshPath(), freshPath()]
    const machines = (path: string, keyPath: string) =>
      SqlMachines.layer({ keyPath }).pipe(Layer.provide(live(path, keyPath)))
    const withMachines = <A, E>(path: string, keyPath: string, story: Effect.Effect<A, E, Machines | Log>) =>
      Effect.runPromise(
        story.pipe(
          Effect.provide(Layer.merge(machines(path, keyPath), live(path, keyPath))),
          Effect.provideService(Origin, { actor: "ada", via: "cli", machine: "laptop" }),
        ),
      )
    await inLog(here, history)
    // Every key of it is lost: a person begins another root, and goes on.
    const second = Effect.gen(function* () {
      yield* Effect.flatMap(Machines, (all) => all.beginRoot(false))
      yield* Effect.flatMap(Registry, ({ servers }) => servers.add({ name: "delta" }))
      return yield* exported
    })
    const lines = await withMachines(here, `${here}.second`, second)
    withNoise(there)
    expect(await inLog(there, importing(lines))).toEqual({ events: 7, inert: 2 })
    expect((await inLog(there, verify)).findings.map(({ kind }) => kind)).toEqual(["inert", "inert"])
    const accept = Effect.gen(function* () {
      const all = yield* Machines
      const [root] = (yield* all.list).pendingRoots
      return yield* all.trust(root?.fingerprint ?? "")
    })
    await withMachines(there, `${there}.key`, accept)
    expect(await inLog(there, verify)).toMatchObject({ ok: true, events: 7, inert: 0 })
    const names = Effect.flatMap(ReadModels, (models) => models.servers.list())
    expect((await inLog(there, names)).map((row) => row.name)).toEqual(["alpha", "delta", "gamma"])
  })

  const broken: ReadonlyArray<readonly [string, (lines: ReadonlyArray<string>) => ReadonlyArray<string>, string]> = [
    [
      "a changed line",
      (lines) => lines.map((line) => line.replace('"gamma"', '"delta"')),
      "the chain breaks at position 5",
    ],
    ["a missing line", (lines) => lines.filter((_, index) => index !== 2), "position 3 is missing"],
    [
      "lines in another order",
      (lines) => [lines[1] as string, lines[0] as string, ...lines.slice(2)],
      "position 1 is missing",
    ],
    [
      "a cut line",
      (lines) => lines.map((line, index) => (index === 4 ? line.slice(0, 50) : line)),
      "no line of an exported log",
    ],
    ["something else", () => ["hello"], "no line of an exported log"],
  ]

  it.each(broken)("refuses %s, and takes nothing of it", async (_, change, message) => {
    const there = freshPath()
    const lines = await inLog(freshPath(), Effect.zipRight(history, exported))
    const error = await inLog(there, Effect.flip(importing(change(lines))))
    expect(error.message).toContain(message)
    expect(
      await inLog(
        there,
        Effect.flatMap(EventLog, (log) => log.head),
      ),
    ).toBe(0)
  })

  it("refuses a copy of this log in which anything was changed, whatever of it is here already", async () => {
    const there = freshPath()
    const lines = await inLog(there, Effect.zipRight(history, exported))
    const [first] = [...lines] as [string]
    const { recordedAt: _, ...row } = JSON.parse(first)
    for (const field of Object.keys(row).filter((name) => name !== "hash")) {
      const other = typeof row[field] === "number" ? row[field] + 1 : typeof row[field] === "string" ? `${row[field]}x` : { other: 1 } // biome-ignore format: one choice
      const changed = JSON.stringify({ ...JSON.parse(first), [field]: other })
      const error = await inLog(there, Effect.flip(importing([changed])))
      expect(error.message, field).toMatch(/nothing was taken over: /)
    }
    expect(await inLog(there, importing([JSON.stringify({ ...JSON.parse(first), recordedAt: "2026-01-01T00:00:00.000Z" })]))).toMatchObject({ events: 0 }) // biome-ignore format: one line
  })

  it("refuses another log", async () => {
    const there = freshPath()
    await inLog(there, history)
    const lines = await inLog(freshPath(), Effect.zipRight(history, exported))
    const error = await inLog(there, Effect.flip(importing(lines)))
    expect(error.message).toContain("it is not the same log")
  })
})

describe("replay into a file", () => {
  it("gives a database as it was then, that any SQLite program opens", async () => {
    const [path, into] = [freshPath(), freshPath()]
    await inLog(path, history)
    const replay = Effect.flatMap(Audit, (audit) => audit.replay("4", into))
    expect(await inLog(path, replay)).toBe(4)
    const names = withSqlite(into, (database) => database.prepare("SELECT name FROM servers ORDER BY name").all())
    expect(names.map((row) => row.name)).toEqual(["alpha", "beta"])
    expect(await inLog(into, verify)).toMatchObject({ ok: true, events: 4 })
    expect((await inLog(path, Effect.flip(replay))).message).toContain("exists already")
  })
})

it("a log that began unsigned stays so when a key comes, until a person makes a machine its root", async () => {
  const path = freshPath()
  const add = (name: string) => Effect.flatMap(Registry, ({ servers }) => servers.add({ name }))
  const unsigned = Layer.merge(Registry.layer, SqlAudit.layer).pipe(Layer.provideMerge(layer(path)))
  const origin = { actor: "ada", via: "cli", machine: "laptop" } as const
  await Effect.runPromise(add("alpha").pipe(Effect.provide(unsigned), Effect.provideService(Origin, origin)))
  await inLog(path, add("beta"))
  expect(await inLog(path, verify)).toMatchObject({ ok: true, signed: 0, unsigned: 2 })
  const machines = SqlMachines.layer({ keyPath: `${path}.key` }).pipe(Layer.provide(live(path)))
  const root = Effect.flatMap(Machines, (all) => all.beginRoot(false))
  await Effect.runPromise(root.pipe(Effect.provide(machines), Effect.provideService(Origin, origin)))
  await inLog(path, add("gamma"))
  expect(await inLog(path, verify)).toMatchObject({ ok: true, signed: 2, unsigned: 2 })
})
