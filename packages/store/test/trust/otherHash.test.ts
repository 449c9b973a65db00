/** What else may stand in the shared log than the events that are known here: heal leaves it, and says what leads on. */
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { columns, type EventRow } from "../../src/record.js"
import { withNoise } from "../support/audited.js"
import { rewritten } from "../support/forger.js"
import { eventsOf, give, rowsHash, status, sync } from "../support/machines.js"
import { expectWhole, gone, heal, healedNotes, invite, refusal, rowsThere, setTo, shared, tamper, timeout, type World } from "../support/tampered.js" // biome-ignore format: one line

const told = /another event than the one that was written.*empty database/

it.each([
  { what: "its hash", sql: setTo("hash", "'somebody''s'", 4), where: 4 },
  { what: "its hash and its data", sql: setTo("(hash, data)", "('ab', '{}')", 4), where: 4 },
  { what: "its hash, and others' data", sql: `${setTo("hash", "'ab'", 4)}; ${setTo("data", "'{}'", 6)}`, where: 4 },
])("an event of another hash is told and not overwritten: $what", { timeout }, async ({ sql, where }) => {
  const world = await shared()
  await tamper(world.client, sql)
  const damaged = await rowsThere(world.client)
  const before = { events: eventsOf(world.a.path), status: await status(world.a) }
  const error = await refusal(world.a)
  expect(error).toMatchObject({ reason: "damaged", message: expect.stringMatching(told) })
  expect(error.message).toContain(`position ${where}`)
  expect(await rowsThere(world.client)).toEqual(damaged)
  const after = await status(world.a)
  expect(eventsOf(world.a.path)).toEqual(before.events)
  expect(after).toMatchObject({ confirmed: 8, pending: 0, lastError: { reason: "damaged" } })
  expect(after.lastError?.next).toMatch(/empty database/)
  // An exchange goes past it, and does not see it: that is not to say that it is gone.
  await sync(world.a)
  expect((await status(world.a)).lastError).toMatchObject({ reason: "damaged" })
  // The way that it names.
  await world.client.executeMultiple("DROP TABLE events; DROP TABLE log")
  await heal(world.a)
  expect((await status(world.a)).lastError).toBeNull()
  await expectWhole(world, ["the shared log had kept 0 of 8 events"])
})

it("where something else has the id of an event that is gone, it is told and left", { timeout }, async () => {
  const world = await shared()
  const [, id] = world.known[2] as EventRow
  const other = (world.known[7] as EventRow).with(0, 9).with(1, id).with(2, "server-z").with(3, 1).with(10, "ab")
  await tamper(world.client, "DELETE FROM events WHERE position = 3", true)
  await world.client.execute({
    sql: `INSERT INTO events (${columns}) VALUES (${other.map(() => "?").join(", ")})`,
    args: other as Array<string>,
  })
  const damaged = await rowsThere(world.client)
  const error = await refusal(world.a)
  expect(error).toMatchObject({ reason: "damaged", message: expect.stringMatching(told) })
  expect(error.message).toContain("position 9")
  expect(await rowsThere(world.client)).toEqual(damaged)
  expect(await status(world.a)).toMatchObject({ confirmed: 8, pending: 0 })
})

it("a heal whose exchange cannot go on leaves the file where it was, and names a way that works", {
  timeout,
}, async () => {
  const world = await shared()
  // The last event under another hash, with the data and signature that were written: another history that does not hold.
  await tamper(world.client, setTo("hash", "'ab'", 8), true)
  const error = await refusal(world.a)
  expect(error).toMatchObject({ reason: "damaged", message: expect.stringContaining("empty database") })
  expect(error.message).not.toMatch(/heal (puts|gives)/)
  expect(await status(world.a)).toMatchObject({ confirmed: 8, pending: 0 })
  expect(await healedNotes(world.a)).toEqual([])
  await world.client.executeMultiple("DROP TABLE events; DROP TABLE log")
  await heal(world.a)
  await expectWhole(world, ["the shared log had kept 0 of 8 events"])
})

it("another history after the last common event is left to the exchange, whatever it has there", {
  timeout,
}, async () => {
  const world = await shared()
  await tamper(
    world.client,
    "DELETE FROM events WHERE position > 6; UPDATE events SET data = '{}' WHERE position = 2",
    true,
  )
  const [row] = [rewritten(world.known[6] as EventRow, { signature: null, data: "{}" })]
  const other = row.with(1, "another").with(2, "server-z").with(3, 1).with(10, "f".repeat(64))
  await world.client.execute({
    sql: `INSERT INTO events (${columns}) VALUES (${other.map(() => "?").join(", ")})`,
    args: other as Array<string>,
  })
  for (const one of [world.a, world.b]) withNoise(one.path)
  for (const one of [world.a, world.b]) await heal(one)
  const there = await rowsThere(world.client)
  expect(there[1]).toEqual(world.known[1])
  expect(there[6]).toEqual(other)
  for (const one of [world.a, world.b]) {
    expect(await status(one)).toMatchObject({ inert: 1, pending: 0, lastError: null })
    expect(rowsHash(one.path)).toBe(rowsHash(world.a.path))
  }
})

it("an event that counts for nothing is a part of the chain, and goes back like the others", { timeout }, async () => {
  const world = await shared()
  const noise = rewritten(world.known[7] as EventRow, { signature: null, data: "{}" })
    .with(0, 9)
    .with(1, "noise")
    .with(2, "server-noise")
    .with(3, 1)
    .with(10, "café")
  await world.client.execute({
    sql: `INSERT INTO events (${columns}) VALUES (${noise.map(() => "?").join(", ")})`,
    args: noise as Array<string>,
  })
  for (const one of [world.a, world.b]) {
    withNoise(one.path)
    await sync(one)
    await give(one, (r) => r.servers.add({ name: `after-${one.name}` }))
    await sync(one)
  }
  await sync(world.a)
  const known = eventsOf(world.a.path)
  expect(known[8]?.[10]).toBe("inert-9")
  await heal(world.a)
  expect(await healedNotes(world.a)).toEqual([])
  await tamper(world.client, "DELETE FROM events WHERE position = 9")
  await heal(world.a)
  expect(await healedNotes(world.a)).toEqual([expect.stringContaining(gone(9))])
  expect(await rowsThere(world.client)).toEqual(known)
  const newcomer = withNoise((await joined(world)).path)
  expect(eventsOf(newcomer).slice(0, known.length)).toEqual(known)
})

const joined = async ({ a, another }: World) => {
  const code = await invite(a)
  await sync(a)
  const newcomer = another("new")
  withNoise(newcomer.path)
  await newcomer.run(Effect.flatMap(Sync, (service) => service.now({ invite: code })))
  return newcomer
}

it("what others wrote after what is known here is not judged", { timeout }, async () => {
  const world = await shared()
  await give(world.b, (r) => r.servers.add({ name: "later" }))
  await sync(world.b)
  await tamper(
    world.client,
    "DELETE FROM events WHERE position = 3; UPDATE events SET data = '{}' WHERE position = 9",
    true,
  )
  const error = await refusal(world.a)
  expect(error).toMatchObject({ reason: "damaged", message: expect.stringContaining("position 9") })
  expect((await rowsThere(world.client))[8]?.[6]).toBe("{}")
  expect((await healedNotes(world.a))[0]).toContain(gone(3))
  // Whoever knows it puts it right.
  await heal(world.b)
  await heal(world.a)
  await expectWhole({ ...world, known: eventsOf(world.b.path) }, [gone(3)])
})
