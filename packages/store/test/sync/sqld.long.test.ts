import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { remoteLog } from "../../src/sync/http.js"
import {
  beginLog,
  eventsOf,
  give,
  heal,
  type Machine,
  machine,
  rowsHash,
  status,
  sync,
  verify,
} from "../support/machines.js"
import { nowOrJoin } from "../support/nowOrJoin.js"
import { openLine } from "../support/proxy.js"
import { randomFrom, seedOf } from "../support/random.js"
import { type Sqld, startSqld } from "../support/sqld.js"

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld.close())

const open: Array<Machine> = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

/** An empty server, whatever was there before. */
const emptied = async () => {
  await sqld.kill()
  sqld.restore(undefined)
  await sqld.start()
}

const join = (name: string, options: { readonly url?: string; readonly token?: Redacted.Redacted } = {}): Machine => {
  const made = machine(name, remoteLog({ url: sqld.url, token: sqld.token(), ...options }, { deadline: "5 seconds" }))
  open.push(made)
  return made
}

/** What a synchronisation failed with. */
const failure = (of: Machine, act: "now" | "heal" | "join" = "now") =>
  of.run(Effect.flatMap(Sync, (service) => Effect.flip(service[act]())))
const contact = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => service.contact))
const add = (of: Machine, ...names: ReadonlyArray<string>) =>
  of.run(Effect.promise(async () => { for (const name of names) await give(of, (r) => r.servers.add({ name })) })) // biome-ignore format: one step

/** That they have one log and one set of rows, that it holds, and that it is the server's. */
const expectEqual = async (...machines: ReadonlyArray<Machine>) => {
  const [first, ...others] = machines as [Machine, ...ReadonlyArray<Machine>]
  for (const one of others) {
    expect(eventsOf(one.path)).toEqual(eventsOf(first.path))
    expect(rowsHash(one.path)).toBe(rowsHash(first.path))
  }
  expect(await verify(first)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
}

describe("a server of one's own", () => {
  it("takes one machine's history and gives it to another", async () => {
    await emptied()
    const [a, b] = [join("a"), join("b")]
    await beginLog(a, b)
    await add(a, "alpha", "beta")
    expect(await contact(a)).toMatchObject({ state: "empty", ours: 3 })
    expect(await sync(a)).toMatchObject({ pushed: 3, pending: 0 })
    expect(await sync(b)).toMatchObject({ pulled: 3 })
    await expectEqual(a, b)
    expect((await status(b)).remote).toBe(sqld.url)
  })

  it("merges two histories at first contact only if somebody says so, and keeps the older file", async () => {
    await emptied()
    const [a, b] = [join("a"), join("b")]
    await beginLog(a, b)
    await add(a, "alpha", "beta")
    await add(b, "alpha", "gamma")
    await sync(a)
    const sides = { here: { events: 3, servers: ["alpha", "gamma"] }, there: { events: 3, servers: ["alpha", "beta"] } }
    expect(await contact(b)).toMatchObject({ state: "to-merge", common: 0, ours: 3, remoteEvents: 3, sides })
    const before = eventsOf(b.path)
    for (const act of ["now", "heal"] as const) expect(await failure(b, act)).toMatchObject({ reason: "to-merge" })
    expect([eventsOf(b.path), await status(b)]).toMatchObject([before, { logId: null, lastError: { reason: "to-merge" } }]) // biome-ignore format: a pair
    expect(await sync(b)).toMatchObject({ pulled: 3, pushed: 2, rejected: [{ what: '"server alpha added"' }] })
    await sync(a)
    await expectEqual(a, b)
    const [merged] = await b.run(Effect.flatMap(Sync, (service) => service.log())).then((log) => log.filter(({ what }) => what === "merged")) // biome-ignore format: one value
    const backup = / in (\/.*)$/.exec(merged?.detail ?? "")?.[1] as string
    expect(eventsOf(backup).map((row) => row[4])).toEqual(["RootEstablished", "ServerAdded", "ServerAdded"])
  })

  it("that is full of something else is left alone", async () => {
    await emptied()
    const { createClient } = await import("@libsql/client/http")
    const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
    await client.execute("CREATE TABLE songs (title TEXT)")
    const a = join("a")
    await add(a, "alpha")
    expect(await failure(a)).toMatchObject({ _tag: "SyncError", reason: "foreign" })
    expect((await client.execute("SELECT name FROM sqlite_schema")).rows.length).toBe(1)
    expect(await status(a)).toMatchObject({ pending: 2, lastError: { reason: "foreign" } })
  })

  it("binds every program by the same triggers", async () => {
    await emptied()
    const a = join("a")
    await add(a, "alpha")
    await sync(a)
    const { createClient } = await import("@libsql/client/http")
    const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
    for (const sql of ["DELETE FROM events", "UPDATE events SET type = 'x'", "INSERT OR REPLACE INTO events SELECT 1, 'x', stream, version, type, schema, data, meta, occurred_at, recorded_at, hash, signature, salt, digest FROM events WHERE position = 1"]) {
      await expect(client.execute(sql)).rejects.toThrow(/append-only/)
    } // biome-ignore format: a list
  })
})

describe("tokens", () => {
  it("that expired, are wrong or missing are named, and pushed again once they are right", async () => {
    await emptied()
    const a = join("a", { token: sqld.token({ a: "rw", exp: 1_000 }) })
    await add(a, "alpha")
    const errors = [await failure(a), await failure(join("b", { token: Redacted.make("nonsense") })), await failure(join("c", { token: Redacted.make("") }))] // biome-ignore format: a list
    for (const error of errors) expect(error).toMatchObject({ _tag: "SyncError", reason: "unauthorised" })
    const again = machine("a", remoteLog({ url: sqld.url, token: sqld.token() }), { path: a.path })
    open.push(again)
    expect(await sync(again)).toMatchObject({ pushed: 2 })
  })

  it("that may only read bring others' work, and say that ours waits", async () => {
    await emptied()
    const [a, b, c] = [join("a"), join("b", { token: sqld.token({ a: "ro" }) }), join("c")]
    await beginLog(a, b, c)
    await add(a, "alpha")
    await sync(a)
    expect(await sync(b)).toMatchObject({ pulled: 2 })
    await add(a, "beta")
    await sync(a)
    await add(b, "gamma")
    expect(await failure(b)).toMatchObject({ reason: "read-only" })
    expect(await status(b)).toMatchObject({ confirmed: 3, pending: 1 })
    await sync(c)
  })

  it("never come out again: not in errors, not in the database", async () => {
    await emptied()
    const canary = "canary-7f3a9c"
    const a = join("a", { token: Redacted.make(canary), url: sqld.url.replace("//", `//user:${canary}@`) })
    await add(a, "alpha")
    const error = await failure(a)
    const said = `${JSON.stringify(error)} ${error.message} ${error.stack} ${String(error.cause)}`
    expect(said).not.toContain(canary)
    expect(JSON.stringify(await status(a))).not.toContain(canary)
    expect(JSON.stringify(await a.run(Effect.flatMap(Sync, (service) => service.log())))).not.toContain(canary)
    expect(JSON.stringify(eventsOf(a.path))).not.toContain(canary)
  })
})

describe("another log behind the same address is recognised before anything is pushed", () => {
  /** Two machines with three events each, all synchronised and saved; then two more events, and again. */
  const grown = async () => {
    await emptied()
    const [a, b, c] = [join("a"), join("b"), join("c")]
    await beginLog(a, b, c)
    await add(a, "alpha", "beta")
    await sync(a)
    await sync(b)
    await sqld.kill()
    sqld.save("older")
    await sqld.start()
    await add(a, "gamma", "delta")
    await sync(a)
    await sync(b)
    await sqld.kill()
    return { a, b, c }
  }

  it("an older copy: named, and healed from the mirror, with times as they were", async () => {
    const { a, b } = await grown()
    sqld.restore("older")
    await sqld.start()
    const before = eventsOf(a.path)
    await add(a, "epsilon")
    expect(await failure(a)).toMatchObject({ reason: "rolled-back" })
    expect(await contact(a)).toMatchObject({ state: "rolled-back", common: 3, remoteEvents: 3 })
    expect(await heal(a)).toMatchObject({ pushed: 3, pending: 0 })
    expect(eventsOf(a.path).slice(0, before.length)).toEqual(before)
    expect(await sync(b)).toMatchObject({ pulled: 1 })
    await sync(a)
    await expectEqual(a, b)
  })

  it("an older copy that others went on from: named, and both histories kept", async () => {
    const { a, b, c } = await grown()
    sqld.restore("older")
    await sqld.start()
    await add(c, "gamma")
    await sync(c)
    // It ends at the same position as ours, so only the hash tells.
    await add(a, "epsilon")
    expect(await failure(a)).toMatchObject({ reason: "rolled-back" })
    expect(await contact(c)).toMatchObject({ remoteEvents: 4 })
    expect(await heal(a)).toMatchObject({ pulled: 1, rejected: [{ reason: 'server "gamma" already exists' }] })
    expect(await failure(b)).toMatchObject({ reason: "rolled-back" })
    expect(await heal(b)).toMatchObject({ rejected: [] })
    await sync(c)
    await sync(a)
    await expectEqual(a, b, c)
    expect(eventsOf(a.path).filter((row) => row[4] === "ServerAdded").length).toBe(5)
  })

  it("nothing at all: named, and given back whole", async () => {
    const { a, b } = await grown()
    sqld.restore(undefined)
    await sqld.start()
    const before = eventsOf(a.path)
    expect(await failure(a)).toMatchObject({ reason: "reset" })
    expect(await contact(a)).toMatchObject({ state: "reset", remoteEvents: 0 })
    expect(await heal(a)).toMatchObject({ pushed: before.length })
    expect(eventsOf(a.path)).toEqual(before)
    expect(await sync(b)).toMatchObject({ pulled: 0, pushed: 0 })
    await expectEqual(a, b)
  })

  it("another log: named; joined only when a person says so", async () => {
    const { a } = await grown()
    sqld.restore(undefined)
    await sqld.start()
    const c = join("other")
    await beginLog(c, a)
    await add(c, "alpha", "omega")
    await sync(c)
    expect(await failure(a)).toMatchObject({ reason: "foreign" })
    expect(await failure(a, "heal")).toMatchObject({ reason: "foreign" })
    expect(eventsOf(c.path).length).toBe(3)
    const joined = await a.run(Effect.flatMap(Sync, (service) => service.join()))
    expect(joined).toMatchObject({ pulled: 3, rejected: [{ reason: 'server "alpha" already exists' }] })
    await sync(c)
    await expectEqual(a, c)
  })

  it("a log of a newer version: nothing is pushed over it", async () => {
    const { a } = await grown()
    await sqld.start()
    const { createClient } = await import("@libsql/client/http")
    const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
    await client.execute("UPDATE log SET schema = 99")
    await add(a, "zeta")
    expect(await failure(a)).toMatchObject({ reason: "newer-schema" })
    expect((await client.execute("SELECT count(*) AS n FROM events")).rows[0]?.n).toBe(5)
  })
})

describe("a bad line", () => {
  it("of 300 ms each way costs one round trip for a hundred events", async () => {
    await emptied()
    const line = await openLine(sqld.port)
    line.delay = 300
    const a = join("a", { url: line.url })
    await add(a, "first")
    await sync(a)
    await add(a, ...Array.from({ length: 100 }, (_, i) => `n${i}`))
    const asked = line.requests
    const report = await sync(a)
    expect(report).toMatchObject({ pushed: 100, roundTrips: 1 })
    expect(line.requests - asked).toBeLessThanOrEqual(3)
    console.log(
      `100 events over 300 ms each way: ${report.roundTrips} round trips, ${(report.duration * 1000).toFixed(0)} ms`,
    )
    await line.close()
  }, 240_000)

  it("that cuts one connection in ten, and swallows answers, still converges", async () => {
    await emptied()
    const random = randomFrom(seedOf("cuts"))
    const line = await openLine(sqld.port, random.next)
    const machines = [join("a", { url: line.url }), join("b", { url: line.url }), join("c", { url: line.url })]
    const [root, ...others] = machines as [Machine, ...Array<Machine>]
    await beginLog(root, ...others)
    // Whoever comes first makes the log: it is the root.
    await sync(root)
    line.cut = 0.1
    line.mute = 0.05
    let failures = 0
    for (let round = 0; round < 12; round++) {
      for (const one of machines) {
        await add(one, `${one.name}${round}`, `shared${round}`)
        const done = await one.run(Effect.either(nowOrJoin()))
        if (done._tag === "Left") {
          expect(done.left).toMatchObject({ reason: "offline" })
          failures += 1
        }
      }
    }
    line.cut = 0
    line.mute = 0
    for (const one of [...machines, ...machines]) await sync(one)
    await expectEqual(...machines)
    const names = eventsOf((machines[0] as Machine).path).filter((row) => row[4] === "ServerAdded")
    expect(names.length).toBe(12 * 4)
    console.log(`${failures} synchronisations of 36 failed and were made good`)
    expect(failures).toBeGreaterThan(0)
    await line.close()
  }, 240_000)

  it("that is down is said so at once, and nothing waits for it", async () => {
    await emptied()
    const a = join("a")
    await add(a, "alpha")
    await sync(a)
    await sqld.kill()
    await add(a, "beta")
    expect(await failure(a)).toMatchObject({ reason: "offline" })
    expect(await status(a)).toMatchObject({ pending: 1, lastError: { reason: "offline" } })
    await sqld.start()
    expect(await sync(a)).toMatchObject({ pushed: 1 })
    expect((await status(a)).lastError).toBeNull()
  })
})

describe("many at once", () => {
  it("twenty machines push at the same time: all land, without a gap", async () => {
    await emptied()
    const machines = Array.from({ length: 20 }, (_, i) => join(`m${i}`))
    const [root, ...others] = machines as [Machine, ...Array<Machine>]
    await beginLog(root, ...others)
    await sync(root)
    for (const one of machines) await add(one, one.name, "same")
    const reports = await Promise.all(machines.map(sync))
    expect(reports.every((report) => report.pending === 0)).toBe(true)
    await Promise.all(machines.map(sync))
    await expectEqual(...machines)
    const types = eventsOf((machines[7] as Machine).path).map((row) => row[4])
    expect(types.filter((type) => type === "ServerAdded").length).toBe(21)
    expect(types.filter((type) => type === "CommandRejected").length).toBe(19)
    const most = Math.max(...reports.map((report) => report.roundTrips))
    console.log(`20 machines: at most ${most} round trips for one of them`)
  }, 240_000)

  it("two processes of one machine: one synchronises, the other goes on", async () => {
    await emptied()
    const a = join("a")
    await add(a, "alpha")
    const line = await openLine(sqld.port)
    line.delay = 100
    const slow = machine("a", remoteLog({ url: line.url, token: sqld.token() }), { path: a.path })
    open.push(slow)
    const first = sync(slow)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await sync(a)).toMatchObject({ skipped: true, pushed: 0 })
    expect(await first).toMatchObject({ skipped: false, pushed: 2 })
    expect(await sync(a)).toMatchObject({ skipped: false, pushed: 0 })
    await line.close()
  })
})
