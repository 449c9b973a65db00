import { Commands } from "@context-engine/core/Commands"
import { entity } from "@context-engine/core/domain/Server"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Audit } from "@context-engine/core/services/Audit"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { follow } from "../../src/follow.js"
import { loadSigner } from "../../src/Signer.js"
import { make } from "../../src/sync/RemoteLog.js"
import { withNoise } from "../support/audited.js"
import { serverAdded, unknownEvent, uuid } from "../support/events.js"
import { freshPath } from "../support/files.js"
import { beginLog, eventsOf, give, machine, rowsHash, status, sync, verify } from "../support/machines.js"
import { oldRows, writeOldFile } from "../support/oldLog.js"
import { makeSequencer } from "../support/sequencer.js"

const shared = () => make("memory", makeSequencer().batch)

describe("two machines and a shared log", () => {
  it("have the same log and the same rows after both synchronised", async () => {
    const remote = shared()
    const a = machine("a", remote)
    const b = machine("b", remote)
    await beginLog(a, b)
    await give(a, (r) => r.servers.add({ name: "alpha" }))
    expect(await sync(a)).toMatchObject({ pushed: 2, pulled: 0, pending: 0, skipped: false })
    expect(await sync(b)).toMatchObject({ pushed: 0, pulled: 2 })
    await give(b, (r) => r.services.add({ name: "api", server: "alpha" }))
    await give(a, (r) => r.servers.add({ name: "beta" }))
    expect(await status(b)).toMatchObject({ pending: 1, confirmed: 2 })
    expect(await sync(b)).toMatchObject({ pushed: 1 })
    expect(await sync(a)).toMatchObject({ pushed: 1, pulled: 1, moved: 1, rejected: [] })
    expect(await sync(b)).toMatchObject({ pulled: 1 })
    expect(eventsOf(a.path)).toEqual(eventsOf(b.path))
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    for (const one of [a, b])
      expect(await verify(one)).toMatchObject({ ok: true, findings: [], unsigned: 0, events: 4 })
  })

  it("refuse the second of two that took one name, and say so in the log", async () => {
    const remote = shared()
    const a = machine("a", remote)
    const b = machine("b", remote)
    await beginLog(a, b)
    await sync(a)
    await sync(b)
    await give(a, (r) => r.servers.add({ name: "alpha" }))
    await give(b, (r) => r.servers.add({ name: "alpha" }))
    await give(b, (r) => r.services.add({ name: "api", server: "alpha" }))
    await sync(a)
    const report = await sync(b)
    expect(report.rejected).toMatchObject([
      { outcome: "refused", what: '"server alpha added"', reason: 'server "alpha" already exists' },
      { outcome: "refused", what: '"service api added"' },
    ])
    await sync(a)
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    expect(await status(a)).toMatchObject({ rejected: 2, pending: 0 })
    for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
    const rejected = await a.run(Effect.flatMap(Sync, (service) => service.rejected))
    expect(rejected).toMatchObject([{ status: "open", machine: "b" }, { status: "open" }])
    const first = rejected.find((row) => row.what.includes("alpha"))!
    await expect(a.run(Effect.flatMap(Sync, (service) => service.retry(first.id)))).rejects.toThrow(/already exists/)
    await give(a, (r) => r.servers.rename("alpha", "omega"))
    expect(await a.run(Effect.flatMap(Sync, (service) => service.retry(first.id)))).toMatchObject({ status: "retried" })
    const other = rejected.find((row) => row.id !== first.id)!
    expect(await a.run(Effect.flatMap(Sync, (service) => service.drop(other.id)))).toMatchObject({ status: "dropped" })
    await sync(a)
    await sync(b)
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    expect(await verify(b)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
    expect(await status(b)).toMatchObject({ rejected: 0 })
  })
})

describe("what goes on while two logs become one", () => {
  it("is told to who follows the log: each event once, whatever place it gets", async () => {
    const remote = shared()
    const a = machine("a", remote)
    const b = machine("b", remote)
    await beginLog(a, b)
    await give(b, (r) => r.servers.add({ name: "before" }))
    const seen: Array<string> = []
    void b.run(
      Effect.flatMap(EventLog, (log) =>
        Stream.runForEach(log.changes, (event) => Effect.sync(() => void seen.push(event.id))),
      ).pipe(Effect.forkDaemon),
    )
    const until = async (ids: () => ReadonlyArray<string>) => {
      while (seen.length < ids().length) await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    for (let i = 0; i < 3; i++) await give(a, (r) => r.servers.add({ name: `a${i}` }))
    await sync(a)
    await give(b, (r) => r.servers.add({ name: "b0" }))
    await until(() => ["b0"])
    await sync(b)
    await give(b, (r) => r.servers.add({ name: "b1" }))
    await until(() =>
      eventsOf(b.path)
        .slice(2)
        .map((row) => row[1]),
    )
    const there = eventsOf(b.path).map((row) => row[1])
    expect(new Set(seen).size).toBe(seen.length)
    // All but the machine's own first two, which were there before.
    expect([...seen].sort()).toEqual(there.filter((id) => !isFirst(b, id)).sort())
  })

  /** Two machines with one log, of which the other one has pushed since; and more than a page waits on the first. */
  const behind = async () => {
    const remote = shared()
    const [a, b] = [machine("a", remote), machine("b", remote)]
    await beginLog(a, b)
    await give(a, (r) => r.servers.add({ name: "first" }))
    for (const one of [a, b]) await sync(one)
    await give(a, (r) => r.servers.add({ name: "second" }))
    await sync(a)
    const names = Array.from({ length: 1_100 }, (_, i) => `s${i}`)
    const appends = names.map((name) => ({ stream: `server-${uuid()}`, expected: 0, events: [serverAdded(name)] }))
    await b.run(Effect.flatMap(EventLog, (log) => log.append(appends)))
    return b
  }

  it("reaches who follows the log in pieces that hold up nobody, and each event once", async () => {
    const b = await behind()
    const seen: Array<string> = []
    let largest = 0
    const take = (events: Chunk.Chunk<{ readonly id: string }>) =>
      Effect.sync(() => {
        largest = Math.max(largest, events.length)
        for (const { id } of events) seen.push(id)
      })
    const { path } = b
    void b.run(
      Effect.flatMap(Database, (database) => Stream.runForEachChunk(follow(database, 0), take)).pipe(Effect.forkDaemon),
    )
    await expect.poll(() => seen.length).toBe(eventsOf(path).length)
    expect(await sync(b)).toMatchObject({ pulled: 1 })
    await expect.poll(() => seen.length).toBe(eventsOf(path).length)
    expect([...seen].sort()).toEqual(
      eventsOf(path)
        .map((row) => row[1])
        .sort(),
    )
    expect(largest).toBeLessThanOrEqual(500)
  })

  it("is nothing that an export sees: it has the log of one moment", async () => {
    const b = await behind()
    const before = eventsOf(b.path)
    let rebased: unknown
    const lines: Array<string> = []
    await b.run(
      Effect.flatMap(Audit, (audit) =>
        Stream.runForEach(audit.export, (line) =>
          Effect.promise(async () => {
            rebased ??= await sync(b)
            lines.push(line)
          }),
        ),
      ),
    )
    expect(rebased).toMatchObject({ moved: before.length - 2, pulled: 1 })
    expect(lines.map((line) => JSON.parse(line).hash)).toEqual(before.map((row) => row[10]))
  })
})

/** Whether an event was in the log before anybody followed it. */
const isFirst = (of: { readonly path: string; readonly name: string }, id: string): boolean => {
  const row = eventsOf(of.path).find((one) => one[1] === id)
  const meta = JSON.parse(row?.[7] ?? "{}")
  return meta.machine === of.name && (row?.[4] === "RootEstablished" || JSON.parse(row?.[6] ?? "{}").name === "before")
}

describe("a command that is being decided while others' events come in", () => {
  it("is decided again, even where position and version are what they were", async () => {
    const remote = shared()
    const a = machine("a", remote, { signed: false })
    const b = machine("b", remote, { signed: false })
    await give(a, (r) => r.servers.add({ name: "alpha" }))
    await sync(a)
    await sync(b)
    await give(b, (r) =>
      r.servers.update("alpha", { sshConfig: { user: null, port: 22, keyPath: null, jumpHost: "x.y" } }),
    )
    await give(a, (r) => r.servers.remove("alpha"))
    await sync(a)
    let looks = 0
    const seen: Array<number> = []
    await b.run(
      Effect.gen(function* () {
        const commands = yield* Commands
        const models = yield* ReadModels
        const log = yield* EventLog
        const service = yield* Sync
        const plan = Effect.gen(function* () {
          looks += 1
          seen.push((yield* models.servers.list()).length)
          // Only once the command knows what it is decided on.
          if (looks === 1) yield* service.now()
          return [{ aggregate: entity.aggregate, id: "new", command: { _tag: "Add" as const, data: serverAdded("beta").data as any } }] // biome-ignore format: one request
        })
        yield* commands.execute(plan)
        expect(yield* log.rebases).toBe(1)
      }),
    )
    expect(seen).toEqual([1, 0])
    expect(looks).toBe(2)
  })
})

describe("events of a newer version", () => {
  it("are kept and said, and nothing is pushed that touches the same things", async () => {
    const sequencer = makeSequencer()
    const remote = make("memory", sequencer.batch)
    const a = machine("a", remote)
    const b = machine("b", remote)
    await beginLog(a, b)
    await sync(a)
    const landed = { stream: "moon-1", expected: "any" as const, events: [unknownEvent()] }
    await a.run(Effect.flatMap(EventLog, (log) => log.append([landed])))
    await sync(a)
    await give(b, (r) => r.servers.add({ name: "alpha" }))
    expect(await sync(b)).toMatchObject({ pulled: 2, pushed: 1, pending: 0 })
    await b.run(Effect.flatMap(EventLog, (log) => log.append([{ ...landed, events: [unknownEvent()] }])))
    for (let again = 0; again < 2; again++) expect(await sync(b)).toMatchObject({ pulled: 0, pushed: 0, pending: 1 })
    expect(await status(b)).toMatchObject({
      unknown: [{ type: "MoonLanded@1", by: "a" }],
      pending: 1,
      confirmed: 3,
      inert: 0,
    })
    expect(sequencer.connection.prepare("SELECT count(*) FROM events").get()[0]).toBe(3)
    expect(await verify(b)).toMatchObject({ ok: true, unknownTypes: { MoonLanded: 2 } })
  })
})

describe("a shared log that somebody changed", () => {
  /** Three servers by one machine, of which the second is changed there before another machine comes. */
  const changed = async (sql: string) => {
    const sequencer = makeSequencer()
    const remote = make("memory", sequencer.batch)
    const [a, b] = [machine("a", remote), machine("b", remote)]
    await beginLog(a, b)
    for (const name of ["alpha", "beta", "gamma"]) await give(a, (r) => r.servers.add({ name }))
    await sync(a)
    sequencer.connection.exec("DROP TRIGGER events_no_update")
    sequencer.connection.exec(sql)
    return b
  }

  it("under its digest is not taken over from there on, and says where it breaks", async () => {
    const b = await changed("UPDATE events SET data = replace(data, 'beta', 'evil') WHERE position = 3")
    for (let again = 0; again < 2; again++) {
      const error = await b.run(Effect.flatMap(Sync, (service) => Effect.flip(service.now())))
      expect(error).toMatchObject({ _tag: "SyncError", reason: "protocol" })
      expect(error.message).toContain("position 3")
    }
    expect(eventsOf(b.path).filter((row) => row[0] >= 3)).toEqual([])
    expect(await status(b)).toMatchObject({ lastError: { reason: "protocol" } })
  })

  it.each([
    ["with its digest", "UPDATE events SET digest = digest || '0' WHERE position = 3"],
    ["and who did it", `UPDATE events SET meta = replace(meta, '"actor":"a"', '"actor":"b"') WHERE position = 3`],
  ])("%s counts for nothing, stops nobody, and is told with what is missing now", async (_, sql) => {
    const b = await changed(sql)
    withNoise(b.path)
    await sync(b)
    expect(await status(b)).toMatchObject({ inert: 1, inertEvents: [{ position: 3 }], breaks: [{ position: 4 }] })
    const names = await b.run(Effect.flatMap(Registry, (registry) => registry.servers.list()))
    expect(names.map(({ name }) => name)).toEqual(["alpha", "gamma"])
    const { findings, ok } = await verify(b)
    expect({ ok, kinds: findings.map(({ kind }) => kind) }).toEqual({ ok: false, kinds: ["inert", "sequence"] })
  })
})

describe("a file of the version before", () => {
  it("is brought up to date when it is opened, and synchronises with all it has", async () => {
    const path = freshPath()
    const signer = { ...loadSigner(`${path}.key`), name: "a" }
    writeOldFile(path, oldRows([signer], ["alpha"]))
    const a = machine("a", shared(), { path })
    await give(a, (r) => r.servers.add({ name: "beta" }))
    expect(await sync(a)).toMatchObject({ pushed: 4 })
    expect(await verify(a)).toMatchObject({ ok: true, findings: [] })
    expect(await status(a)).toMatchObject({ confirmed: 4, pending: 0 })
  })
})
