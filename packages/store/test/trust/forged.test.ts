/** What somebody with the token appends to a real server by hand: noise, and nothing else. */
import { ReadModels } from "@context-engine/core/ReadModels"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import { createClient } from "@libsql/client/http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { columns, type EventRow } from "../../src/record.js"
import { remoteLog } from "../../src/sync/http.js"
import { withNoise } from "../support/audited.js"
import { disguises, draft, payload, payloads, placed, type Target, unsigned } from "../support/forger.js"
import {
  beginLog,
  eventsOf,
  give,
  type Machine,
  machine,
  rowsHash,
  signerOf,
  status,
  sync,
  verify,
} from "../support/machines.js"
import { type Sqld, startSqld } from "../support/sqld.js"

let sqld: Sqld
let client: ReturnType<typeof createClient>
let a: Machine
let b: Machine
let target: Target

const remote = () => remoteLog({ url: sqld.url, token: sqld.token() }, { deadline: "20 seconds" })

beforeAll(async () => {
  sqld = await startSqld()
  client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
  a = machine("a", remote())
  b = machine("b", remote())
  for (const one of [a, b]) withNoise(one.path)
  const root = await beginLog(a, b)
  await give(a, (r) => r.servers.add({ name: "alpha" }))
  for (const one of [a, b]) await sync(one)
  const server = eventsOf(a.path).find((row) => row[4] === "ServerAdded") as EventRow
  target = { root, victim: signerOf(b), server: { stream: server[2], name: "alpha" } }
}, 120_000)
afterAll(async () => {
  for (const one of [a, b]) await one.close()
  await sqld.close()
})

const marks = columns
  .split(",")
  .map(() => "?")
  .join(", ")

/** Appends rows by hand where the shared log ends. `write`: how one is written, where not as it is. */
const append = async (rows: ReadonlyArray<EventRow>, write = marks) => {
  await sync(a)
  const made = await a.run(Effect.flatMap(Database, (database) => database.read((c) => placed(c, rows))))
  for (const row of made)
    await client.execute({ sql: `INSERT INTO events (${columns}) VALUES (${write})`, args: [...row] })
  return made.map(([position]) => position)
}

const serversOf = (one: Machine) =>
  one.run(Effect.map(Effect.flatMap(Registry, ({ servers }) => servers.list()), (rows) => rows.map(({ name }) => name))) // biome-ignore format: one step

let honest = 0

/** Both machines go on: what was forged counts for nothing, everything can be read, and what they do counts. */
const expectNoise = async (positions: ReadonlyArray<number>) => {
  honest += 1
  const name = `honest${honest}`
  await give(b, (r) => r.servers.add({ name }))
  await sync(b)
  await sync(a)
  for (const one of [a, b]) {
    const inert = await one.run(
      Effect.flatMap(Database, (database) =>
        database.read((c) =>
          c
            .prepare("SELECT position FROM inert")
            .all()
            .map(([position]) => position),
        ),
      ),
    )
    expect(inert).toEqual(expect.arrayContaining([...positions]))
    expect(await serversOf(one)).toContain(name)
    expect((await serversOf(one)).filter((server) => !server.startsWith("honest"))).toEqual(["alpha"])
    const told = await status(one)
    expect(told).toMatchObject({ pending: 0, lastError: null, breaks: [], enrolment: "enrolled" })
    expect(told.inert).toBe(inert.length)
    expect((await one.run(Effect.flatMap(ReadModels, (models) => models.infraEvents.list()))).length).toBeGreaterThan(0)
    expect((await one.run(Effect.flatMap(Sync, (service) => service.log()))).length).toBeGreaterThan(0)
  }
  expect(rowsHash(b.path)).toBe(rowsHash(a.path))
}

describe("on a real server, everybody goes on after", { timeout: 120_000 }, () => {
  it.each(Object.keys(payloads))("%s", async (name) => expectNoise(await append(payload(name, target))))

  it.each(Object.keys(disguises))("%s", async (name) =>
    expectNoise(await append((disguises[name] as (typeof disguises)[string])(target))),
  )

  it("bytes that are no UTF-8", async () => {
    const [row] = unsigned([draft({ data: '{"name":"\ufffd"}' })]) as [EventRow]
    const write = marks.split(", ").with(6, `CASE WHEN ? THEN CAST(x'7b226e616d65223a22ff227d' AS TEXT) END`).join(", ")
    const made = await a.run(Effect.flatMap(Database, (database) => database.read((c) => placed(c, [row]))))
    await client.execute({
      sql: `INSERT INTO events (${columns}) VALUES (${write})`,
      args: (made[0] as EventRow).map((value, index) => (index === 6 ? 1 : value)),
    })
    await expectNoise([(made[0] as EventRow)[0]])
  })

  it("a shape of a number that no program can count", async () => {
    const [row] = unsigned([draft({ schema: 0 })]) as [EventRow]
    const made = await a.run(Effect.flatMap(Database, (database) => database.read((c) => placed(c, [row]))))
    const write = marks.split(", ").with(5, "CASE WHEN ? THEN 9223372036854775807 END").join(", ")
    await client.execute({
      sql: `INSERT INTO events (${columns}) VALUES (${write})`,
      args: (made[0] as EventRow).map((value, index) => (index === 5 ? 1 : value)),
    })
    await expectNoise([(made[0] as EventRow)[0]])
  })

  it.each(["2999-01-01T00:00:00.000Z", "zzzz", ""])("a time that is not now: %j", async (time) => {
    const [row] = unsigned([draft({ occurredAt: time })]) as [EventRow]
    await sync(a)
    const made = await a.run(Effect.flatMap(Database, (database) => database.read((c) => placed(c, [row]))))
    await client.execute({
      sql: `INSERT INTO events (${columns}) VALUES (${marks})`,
      args: (made[0] as EventRow).map((value, index) => (index === 9 ? time : value)),
    })
    await sync(b)
    await expectNoise([(made[0] as EventRow)[0]])
    // Nothing of it is handed on to what counts.
    const last = eventsOf(a.path).at(-1) as EventRow
    for (const at of [last[8], last[9]]) expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000)
  })

  it("all of it: a machine that comes new has the same rows, and the audit names what counts for nothing", async () => {
    const late = machine("late", remote(), { signed: false })
    withNoise(late.path)
    await sync(late)
    expect(rowsHash(late.path)).toBe(rowsHash(a.path))
    expect(eventsOf(late.path)).toEqual(eventsOf(a.path))
    const report = await verify(late)
    expect(report.ok).toBe(false)
    expect(report.findings.every(({ kind }) => kind === "inert")).toBe(true)
    expect(report.inert).toBe((await status(late)).inert)
    await late.close()
  })
})
