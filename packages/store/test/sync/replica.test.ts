/** A shared log that is read by way of a replica, which libSQL itself keeps: with the real server. */
import { execFileSync, spawn } from "node:child_process"
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import { EventLog } from "@context-engine/core/EventLog"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import type { Endpoint } from "../../src/sync/endpoint.js"
import { remoteLog } from "../../src/sync/http.js"
import type { RemoteLog } from "../../src/sync/RemoteLog.js"
import { replicaLog } from "../../src/sync/replica/replicaLog.js"
import { serverAdded } from "../support/events.js"
import { freshPath } from "../support/files.js"
import { eventsOf, give, type Machine, machine, rowsHash, sync } from "../support/machines.js"
import { openLine } from "../support/proxy.js"
import { type Sqld, startSqld } from "../support/sqld.js"

/** A machine whose replica is beside its file, and what was read over HTTP. */
const withReplica = async (
  name: string,
  endpoint: Endpoint,
  options: { path?: string; deadline?: number; replica?: Endpoint } = {},
) => {
  const path = options.path ?? freshPath()
  const scope = await Effect.runPromise(Scope.make())
  const said: Array<string> = []
  const counted = { rows: 0 }
  const onTrouble = (message: string) => Effect.sync(() => void said.push(message))
  const directory = `${path}-replica`
  const deadline = options.deadline ?? 60_000
  const remote = await Effect.runPromise(
    Scope.extend(
      replicaLog(counting(remoteLog(endpoint), counted), options.replica ?? endpoint, {
        directory,
        deadline,
        onTrouble,
      }),
      scope,
    ),
  )
  const one = machine(name, remote, { path, signed: false })
  const close = async () => {
    await one.close()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  return { ...one, close, directory, said, overHttp: counted }
}

const counting = (remote: RemoteLog["Type"], counted: { rows: number }): RemoteLog["Type"] => ({
  ...remote,
  exchange: (exchange) =>
    Effect.tap(remote.exchange(exchange), (answer) =>
      Effect.sync(() => {
        counted.rows += answer?.rows.length ?? 0
      }),
    ),
})

const add = (of: Machine, ...names: ReadonlyArray<string>) =>
  Effect.runPromise(
    Effect.forEach(names, (name) =>
      Effect.promise(() =>
        give(of, (registry: Registry["Type"]) => registry.servers.add({ name, ipAddresses: ["10.0.0.1"] } as any)),
      ),
    ),
  )
const names = (of: Machine) =>
  of.run(
    Effect.map(
      Effect.flatMap(Registry, ({ servers }) => servers.list()),
      (rows) => rows.map(({ name }) => name).sort(),
    ),
  )

describe("a replica", { timeout: 120_000 }, () => {
  let sqld: Sqld
  let endpoint: Endpoint
  let laptop: Machine
  const open: Array<{ readonly close: () => Promise<void> }> = []
  const opened = async (...args: Parameters<typeof withReplica>) => {
    const one = await withReplica(...args)
    open.push(one)
    return one
  }
  beforeAll(async () => {
    sqld = await startSqld()
    endpoint = { url: sqld.url, token: sqld.token() }
    laptop = machine("laptop", remoteLog(endpoint), { signed: false })
    await add(laptop, "alpha", "beta", "gamma")
    await sync(laptop)
  })
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
  })
  afterAll(async () => {
    await laptop.close()
    await sqld.close()
  })

  it("gives what the shared log has, and nothing of it comes over HTTP", async () => {
    const phone = await opened("phone", endpoint)
    expect(await sync(phone)).toMatchObject({ pulled: 3, pending: 0 })
    expect(eventsOf(phone.path)).toEqual(eventsOf(laptop.path))
    expect(rowsHash(phone.path)).toBe(rowsHash(laptop.path))
    expect(phone.overHttp.rows).toBe(0)
    expect(phone.said).toEqual([])
    expect(statSync(phone.directory).mode & 0o777).toBe(0o700)
  })

  it("is only read: what is written goes over HTTP, and what others wrote comes back", async () => {
    const phone = await opened("phone", endpoint)
    await sync(phone)
    await add(phone, "delta")
    expect(await sync(phone)).toMatchObject({ pushed: 1 })
    expect(await sync(laptop)).toMatchObject({ pulled: 1 })
    await add(laptop, "epsilon")
    await sync(laptop)
    expect(await sync(phone)).toMatchObject({ pulled: 1 })
    expect(eventsOf(phone.path)).toEqual(eventsOf(laptop.path))
  })

  it("keeps the thread free while its own way to the primary is silent, and is left out in the end", async () => {
    const silent = createServer((socket) => void socket.on("error", () => {}).resume()).listen(0, "127.0.0.1")
    await new Promise((resolve) => silent.once("listening", resolve))
    const { port } = silent.address() as { port: number }
    const phone = await opened("phone", endpoint, {
      replica: { ...endpoint, url: `http://127.0.0.1:${port}` },
      deadline: 2_000,
    })
    let turns = 0
    const timer = setInterval(() => turns++, 10)
    expect(await sync(phone)).toMatchObject({ pulled: eventsOf(laptop.path).length, pending: 0 })
    clearInterval(timer)
    // A hundred and more, if nothing else keeps the processor; none at all, were it in this process.
    expect(turns).toBeGreaterThan(10)
    expect(phone.said).toEqual([expect.stringMatching(/no answer within 2s; it is left out/)])
    await new Promise((resolve) => silent.close(resolve))
  })

  it("reads without the primary what it has read before", async () => {
    const phone = await opened("phone", endpoint)
    await sync(phone)
    const before = await names(phone)
    await sqld.kill()
    try {
      await expect(sync(phone)).rejects.toThrow("cannot be reached")
      expect(await names(phone)).toEqual(before)
      await phone.close()
      open.pop()
      const again = await opened("phone", endpoint, { path: phone.path })
      await expect(sync(again)).rejects.toThrow("cannot be reached")
      expect(await names(again)).toEqual(before)
      // It is not to blame, and is kept.
      expect(again.said).toEqual([])
      expect(existsSync(join(again.directory, "replica.db"))).toBe(true)
    } finally {
      await sqld.start()
    }
  })

  it("is thrown away when its files are damaged, and is built anew with the next", async () => {
    const phone = await opened("phone", endpoint)
    await sync(phone)
    await phone.close()
    open.pop()
    for (const name of readdirSync(phone.directory)) {
      if (name.startsWith("replica")) writeFileSync(join(phone.directory, name), "garbage ".repeat(1_000))
    }
    await add(laptop, "zeta")
    await sync(laptop)
    const again = await opened("phone", endpoint, { path: phone.path })
    expect(await sync(again)).toMatchObject({ pulled: 1 })
    expect(again.said).toEqual([expect.stringContaining("thrown away")])
    expect(again.overHttp.rows).toBe(1)
    expect(readdirSync(again.directory).filter((name) => name.startsWith("replica"))).toEqual([])
    await again.close()
    open.pop()
    await add(laptop, "eta")
    await sync(laptop)
    const third = await opened("phone", endpoint, { path: phone.path })
    expect(await sync(third)).toMatchObject({ pulled: 1 })
    expect(third.said).toEqual([])
    expect(third.overHttp.rows).toBe(0)
    expect(eventsOf(third.path)).toEqual(eventsOf(laptop.path))
  })

  it("belongs to one process: another goes on without it", async () => {
    const path = freshPath()
    const first = await opened("phone", endpoint, { path })
    await sync(first)
    await add(laptop, "theta")
    await sync(laptop)
    const second = await opened("phone", endpoint, { path })
    expect(await sync(second)).toMatchObject({ pulled: 1 })
    expect(second.overHttp.rows).toBe(1)
    expect(second.said).toEqual([])
    expect(first.said).toEqual([])
  })

  it("keeps the token out of its files and of the list of processes", async () => {
    const phone = await opened("phone", endpoint)
    await sync(phone)
    const secret = Redacted.value(endpoint.token as Redacted.Redacted)
    const files = readdirSync(phone.directory)
    expect(files).toContain("replica.db")
    for (const name of files) expect(readFileSync(join(phone.directory, name)).includes(secret), name).toBe(false)
    expect(execFileSync("ps", ["axww", "-o", "args"], { encoding: "utf8" })).not.toContain(secret)
    expect(readdirSync(dirname(phone.path)).sort()).toContain("infra.db-replica")
  })

  it("says what is wrong with a token as ever", async () => {
    const wrong = Redacted.make(`${Redacted.value(sqld.token()).slice(0, -8)}AAAAAAAA`)
    const phone = await opened("phone", { url: sqld.url, token: wrong })
    await expect(sync(phone)).rejects.toThrow("does not accept the token")
    expect(phone.said).toEqual([])
  })

  it("cannot make another log pass for the one that is known", async () => {
    const phone = await opened("phone", endpoint)
    await sync(phone)
    await sqld.kill()
    sqld.save("known")
    sqld.restore(undefined)
    await sqld.start()
    const stranger = machine("stranger", remoteLog(endpoint), { signed: false })
    await add(stranger, ...Array.from({ length: 12 }, (_, n) => `stranger-${n}`))
    await sync(stranger)
    await stranger.close()
    await phone.close()
    open.pop()
    const before = eventsOf(phone.path)
    const again = await opened("phone", endpoint, { path: phone.path })
    await expect(sync(again)).rejects.toThrow("another log than the one")
    expect(eventsOf(again.path)).toEqual(before)
    await again.close()
    open.pop()
    await sqld.kill()
    sqld.restore("known")
    await sqld.start()
    const back = await opened("phone", endpoint, { path: phone.path })
    await add(laptop, "iota")
    await sync(laptop)
    expect(await sync(back)).toMatchObject({ pulled: 1 })
    expect(eventsOf(back.path)).toEqual(eventsOf(laptop.path))
  })

  it("cannot pass off another way that the same log once went", async () => {
    const phone = await opened("phone", endpoint)
    await sync(phone)
    await phone.close()
    open.pop()
    const files = ["", "-wal", "-shm"].filter((end) => existsSync(`${phone.path}${end}`))
    const path = freshPath()
    for (const end of files) cpSync(`${phone.path}${end}`, `${path}${end}`)
    // Another server has the same log, and went on from here in another way.
    const other = await startSqld()
    const astray = { url: other.url, token: other.token() }
    const copy = machine("copy", remoteLog(astray), { path, signed: false })
    await add(copy, "astray-1", "astray-2")
    await copy.run(Effect.flatMap(Sync, (service) => service.heal()))
    await copy.close()
    await add(laptop, "kept-1", "kept-2", "kept-3")
    await sync(laptop)
    const misled = await opened("phone", endpoint, { path: phone.path, replica: astray })
    expect(await sync(misled)).toMatchObject({ pulled: 3 })
    expect(eventsOf(misled.path)).toEqual(eventsOf(laptop.path))
    expect(misled.said).toEqual([expect.stringContaining("events that the shared log does not have")])
    await other.close()
  })

  it("brings a long log page by page, and asks of each only whether it is right", async () => {
    const other = await startSqld()
    const far = { url: other.url, token: other.token() }
    const writer = machine("writer", remoteLog(far), { signed: false })
    const events = Array.from({ length: 6_000 }, (_, n) => serverAdded(`s${n}`))
    for (const half of [events.slice(0, 3_000), events.slice(3_000)])
      await writer.run(
        Effect.flatMap(EventLog, (log) =>
          log.append(half.map((event) => ({ stream: `server-${event.id}`, expected: 0, events: [event] }))),
        ),
      )
    await sync(writer)
    const phone = await opened("phone", far)
    expect(await sync(phone)).toMatchObject({ pulled: 6_000 })
    expect(phone.overHttp.rows).toBe(0)
    expect(rowsHash(phone.path)).toBe(rowsHash(writer.path))
    await writer.close()
    await other.close()
  })
})

/** Why the replica has a process of its own. Where this fails, libSQL has become better, and it may do without. */
describe("libSQL's embedded replica", () => {
  it("still blocks its thread for the round trip, and cannot be opened without the primary", async () => {
    const sqld = await startSqld()
    const line = await openLine(sqld.port)
    line.delay = 100
    const file = freshPath()
    const given = JSON.stringify({ url: line.url, token: Redacted.value(sqld.token()), file })
    const attempt = `
      const Database = require(process.argv[1])
      const { file, token, url } = JSON.parse(require("node:fs").readFileSync(0, "utf8"))
      let turns = 0
      setInterval(() => turns++, 5).unref()
      const open = async () => {
        const began = Date.now()
        const replica = new Database(file, { syncUrl: url, authToken: token })
        const done = await replica.sync()
        return { turns, took: Date.now() - began }
      }
      open().catch(() => "refused").then((ended) => require("node:fs").writeSync(3, JSON.stringify(ended)))
        .then(() => process.exit())`
    const run = () =>
      new Promise<any>((resolve) => {
        const driver = createRequire(import.meta.url).resolve("libsql")
        const child = spawn(process.execPath, ["-e", attempt, driver], { stdio: ["pipe", "ignore", "ignore", "pipe"] })
        let said = ""
        child.stdio[3]?.on("data", (chunk) => {
          said += chunk
        })
        child.once("close", () => resolve(JSON.parse(said)))
        child.stdin?.end(given)
      })
    const { took, turns } = await run()
    expect(took).toBeGreaterThan(200)
    expect(turns).toBe(0)
    await line.close()
    await sqld.close()
    expect(await run()).toBe("refused")
  })
})
