/** A server, or a machine's key in other hands, that says a time which no clock shows: nothing that is written later inherits it. */
import { EventLog } from "@context-engine/core/EventLog"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it, vi } from "vitest"
import { type Batch, make } from "../../src/sync/RemoteLog.js"
import { withNoise } from "../support/audited.js"
import { draft, signed, slipIn } from "../support/forger.js"
import { beginLog, eventsOf, give, machine, servers, signerOf, sync } from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

const year = new Date().getUTCFullYear()
const add = (of: ReturnType<typeof machine>, name: string) => give(of, (r) => r.servers.add({ name }))
const timesOf = (path: string) => eventsOf(path).map((row) => row[8])

it.each(["9999-12-31T23:59:59.999Z", "0000-01-01T00:00:00.000Z", `${year + 1}-01-01T00:00:00.000Z`])(
  "a server that says once that it is %s",
  async (time) => {
    const { batch } = makeSequencer()
    let lies = false
    const lying: Batch = (statements, mode) =>
      Effect.map(batch(statements, mode), (found) =>
        lies ? (found?.map((rows) => rows.map((row) => (row.length === 5 ? row.with(4, time) : row))) ?? null) : found,
      )
    const [a, b] = [machine("a", make("memory", lying)), machine("b", make("memory", batch))]
    await beginLog(a, b)
    for (const one of [a, b]) await sync(one)
    lies = true
    await a.run(Effect.flatMap(Sync, (service) => Effect.either(service.now())))
    lies = false
    await add(a, "believed")
    for (const one of [a, b]) await sync(one)
    const before = new Date().toISOString()
    // What is added next has a later time than that, to the millisecond.
    await vi.waitUntil(() => new Date().toISOString() > before, { interval: 1 })
    await add(b, "later")
    for (const one of [b, a]) await sync(one)
    const times = timesOf(b.path)
    for (const at of times) expect(at).toMatch(/^\d{4}-/)
    expect((times.at(-1) as string) >= before).toBe(true)
    expect((times.at(-1) as string) < `${year + 1}`).toBe(true)
    for (const one of [a, b]) {
      const { skip, until } = await one.run(Effect.flatMap(EventLog, (log) => log.cutAt(before)))
      expect([until, [...skip]]).toEqual([2, []])
    }
    for (const one of [a, b]) await one.close()
  },
)

it("a unit of a machine of the log that says a year of five digits counts for nothing", async () => {
  const { batch, connection } = makeSequencer()
  const [a, b] = [machine("a", make("memory", batch)), machine("b", make("memory", batch))]
  const root = await beginLog(a, b)
  for (const one of [a, b]) await sync(one)
  withNoise(a.path)
  slipIn(connection, signed([draft({ occurredAt: "+010000-01-01T00:00:00.000Z" })], signerOf(b), root))
  await add(a, "later")
  await sync(a)
  expect(await servers(a)).toEqual(["later"])
  expect(timesOf(a.path).at(-1)).toMatch(new RegExp(`^${year}-`))
  for (const one of [a, b]) await one.close()
})
