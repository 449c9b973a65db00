/** A shared log that lies, or does not answer: nothing of it is taken over, it is told, and it takes no longer than agreed. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { remoteLog } from "../../src/sync/http.js"
import type { Exchange } from "../../src/sync/protocol.js"
import { integer, type Liar, type Lie, startLiar, type Told, text } from "../support/liar.js"
import { beginLog, eventsOf, failure, give, type Machine, machine, status, sync, verify } from "../support/machines.js"
import { type Sqld, startSqld } from "../support/sqld.js"

const seconds = 3
let sqld: Sqld
let liar: Liar
let other: Machine
let victim: Machine
let pushing: Machine

beforeAll(async () => {
  sqld = await startSqld()
  liar = await startLiar(sqld.url)
  other = machine("other", remoteLog({ url: sqld.url, token: sqld.token() }))
  victim = machine("victim", remoteLog({ url: liar.url, token: sqld.token() }, { deadline: `${seconds} seconds` }))
  pushing = machine("pushing", remoteLog({ url: liar.url, token: sqld.token() }, { deadline: "3 seconds" }))
  await beginLog(other, victim, pushing)
  for (const name of ["alpha", "beta"]) await give(other, (r) => r.servers.add({ name }))
  await sync(other)
  await sync(victim)
  for (const name of ["gamma", "delta"]) await give(other, (r) => r.servers.add({ name }))
  await sync(other)
})
afterAll(async () => {
  await other.close()
  await victim.close()
  await liar.close()
  await sqld.close()
})

const state = (column: number, value: unknown) => ({ told: ({ state }: Told) => { state.rows[0]![column] = value as never } }) // biome-ignore format: one lie
const row = (column: number, value: unknown) => ({ told: ({ rows }: Told) => { rows.rows[0]![column] = value as never } }) // biome-ignore format: one lie
const nothing = { type: "null" }
const float = (value: number) => ({ type: "float", value })

/** About where the log ends, and what log it is. */
const ofState: Readonly<Record<string, Lie>> = {
  "a length without end": { told: ({ rows, state }) => { state.rows[0]![2] = integer(9e15); rows.rows = [] } }, // biome-ignore format: one lie
  "a length beyond whole numbers": state(2, integer("9223372036854775807")),
  "a negative length": state(2, integer(-1)),
  "half an event": state(2, float(5.5)),
  "a length that is not a number": state(2, text("many")),
  "no length": state(2, nothing),
  "a length below its own events": state(2, integer(3)),
  "a schema that is text": state(1, text("one")),
  "a negative schema": state(1, integer(-3)),
  "a name that is a number": state(0, integer(7)),
  "a hash that is a number": state(3, integer(7)),
  "a time that is none": state(4, text("yesterday")),
  "no time": state(4, nothing),
  "a time beyond all times": state(4, text("9".repeat(400))),
  "two states": { told: ({ state }) => void state.rows.push(state.rows[0]!) },
  "no columns": { told: ({ state }) => { state.rows[0] = [] } }, // biome-ignore format: one lie
}

/** About the events it has. */
const ofRows: Readonly<Record<string, Lie>> = {
  "an event twice": { told: ({ rows }) => void rows.rows.splice(1, 0, rows.rows[0]!) },
  "an event left out": { told: ({ rows }) => void rows.rows.shift() },
  "none, where it has some": { told: ({ rows }) => { rows.rows = [] } }, // biome-ignore format: one lie
  "more than was asked for": { told: ({ rows }) => { rows.rows = Array.from({ length: 5_001 }, (_, i) => rows.rows[0]!.with(0, integer(i + 4))) } }, // biome-ignore format: one lie
  "a column too few": { told: ({ rows }) => void rows.rows[0]!.pop() },
  "a column too many": { told: ({ rows }) => void rows.rows[0]!.push(text("x")) },
  "a place that is a fraction": row(0, float(4.5)),
  "a place that is text": row(0, text("4")),
  "a version that is negative": row(3, integer(-4)),
  "data that are a number": row(6, integer(4)),
  "data that are bytes": row(6, { type: "blob", base64: "AAAA" }),
  "no hash": row(10, nothing),
  "a signature that is a number": row(11, float(1e300)),
  "times of what was never pushed": { told: ({ taken }) => void taken.rows.push([integer(4), text("2026-01-01T00:00:00.000Z")]) }, // biome-ignore format: one lie
  "another event": row(6, text('{"name":"forged"}')),
}

const head = { "content-type": "application/json" }
/** About the answer as a whole. */
const ofAnswers: Readonly<Record<string, Lie>> = {
  "an answer that is no JSON": { sent: (response) => response.writeHead(200, head).end("<html>") },
  "an answer that is nothing": { sent: (response) => response.writeHead(200, head).end("null") },
  "no results": { told: ({ body }) => { body.results = [] } }, // biome-ignore format: one lie
  "fewer results than questions": { told: ({ steps }) => void steps.splice(2, 1) },
  "results that are missing": { told: ({ steps }) => void steps.fill(null) },
  "an answer that never ends": { sent: pour },
  "an answer that comes by single letters": { sent: drip },
  "a head without a body": { sent: (response) => void response.writeHead(200, head).flushHeaders() },
  "no answer": { sent: () => {} },
  "an error that never ends": { sent: (response) => pour(response, 500) },
  "an error that is nothing": { sent: (response) => response.writeHead(418, head).end("null") },
}

/** As fast as it is read. */
function pour(response: import("node:http").ServerResponse, status = 200): void {
  response.writeHead(status, head)
  const chunk = Buffer.alloc(1 << 20, " ")
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  }
  response.on("drain", more)
  more()
}

function drip(response: import("node:http").ServerResponse): void {
  response.writeHead(200, head)
  const timer = setInterval(() => response.write(" "), 100)
  response.on("close", () => clearInterval(timer))
}

const expectRefused = async (lie: Lie) => {
  const before = eventsOf(victim.path)
  liar.lie = lie
  const began = performance.now()
  const error = await failure(victim)
  liar.lie = {}
  expect(error).toMatchObject({ _tag: "SyncError", reason: expect.stringMatching(/^(protocol|offline|rolled-back)$/) })
  expect(performance.now() - began).toBeLessThan((seconds + 3) * 1000)
  expect(eventsOf(victim.path)).toEqual(before)
  expect(await status(victim)).toMatchObject({ lastError: { reason: error.reason, message: error.message } })
}

describe("a shared log that lies", () => {
  it.each(Object.entries(ofState))("about its state: %s", (_, lie) => expectRefused(lie))
  it.each(Object.entries(ofRows))("about its events: %s", (_, lie) => expectRefused(lie))
  it.each(Object.entries(ofAnswers))("in its answer: %s", (_, lie) => expectRefused(lie))

  it("and takes nothing of what is pushed, for ever", async () => {
    await sync(pushing)
    await give(pushing, (r) => r.servers.add({ name: "epsilon" }))
    liar.lie = { told: ({ rows, state, taken }) => { state.rows[0]![2] = integer(5); taken.rows = []; rows.rows = [] } } // biome-ignore format: one lie
    expect(await failure(pushing)).toMatchObject({ _tag: "SyncError", reason: "protocol" })
    liar.lie = { told: ({ taken }) => { taken.rows[0]![1] = text("long ago") } } // biome-ignore format: one lie
    expect(await failure(pushing)).toMatchObject({ _tag: "SyncError", reason: "protocol" })
    liar.lie = {}
    await sync(pushing)
    expect(await verify(pushing)).toMatchObject({ ok: true })
    await pushing.close()
  })

  it("and names another place to send the token to is not followed", async () => {
    let stolen: string | undefined
    const elsewhere = await startLiar(sqld.url)
    elsewhere.lie = { sent: (response) => { stolen = response.req.headers.authorization ?? "none"; response.end() } } // biome-ignore format: one lie
    for (const status of [301, 302, 307, 308]) {
      await expectRefused({ sent: (response) => response.writeHead(status, { location: `${elsewhere.url}/v2/pipeline` }).end() }) // biome-ignore format: one lie
    }
    await expectRefused({ told: ({ body, steps }) => { body.base_url = elsewhere.url; body.baton = "x"; steps.fill(null) } }) // biome-ignore format: one lie
    expect([stolen, elsewhere.requests]).toEqual([undefined, 0])
    await elsewhere.close()
  })

  it("is forgiven when it is honest again", async () => {
    await sync(victim)
    expect(eventsOf(victim.path).slice(0, 5)).toEqual(eventsOf(other.path))
    expect(await status(victim)).toMatchObject({ lastError: null })
    expect(await verify(victim)).toMatchObject({ ok: true })
  })
})

describe("a server that is stopped", () => {
  it("ends every exchange by its deadline, whatever memory is collected meanwhile", async () => {
    const stopped = machine("stopped", remoteLog({ url: sqld.url, token: sqld.token() }, { deadline: "2 seconds" }), {
      signed: false,
    })
    await sync(stopped)
    setFlagsFromString("--expose-gc")
    const collect = runInNewContext("gc") as () => void
    sqld.pause()
    const collecting = setInterval(collect, 100)
    try {
      for (let i = 0; i < 3; i++) expect(await failure(stopped)).toMatchObject({ reason: "offline", message: expect.stringContaining("did not answer within 2 s") }) // biome-ignore format: one line
    } finally {
      clearInterval(collecting)
      sqld.resume()
    }
    expect(await status(stopped)).toMatchObject({ lastError: { reason: "offline" } })
    await sync(stopped)
    await stopped.close()
  }, 30_000)
})

describe("whatever an exchange fails by", () => {
  it("is kept until one has succeeded: a bug, too", async () => {
    const honest = remoteLog({ url: sqld.url, token: sqld.token() })
    let broken = true
    const remote = { ...honest, exchange: (asked: Exchange) => (broken ? Effect.die(new Error("boom")) : honest.exchange(asked)) } // biome-ignore format: one step
    const one = machine("one", remote, { signed: false })
    await expect(sync(one)).rejects.toThrow("boom")
    expect(await status(one)).toMatchObject({
      lastError: { reason: "defect", message: expect.stringContaining("boom") },
    })
    broken = false
    await sync(one)
    expect(await status(one)).toMatchObject({ lastError: null })
    await one.close()
  })
})
