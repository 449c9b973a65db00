/** What an admin has acknowledged is what was there when it looked: nothing that was changed or came since hides behind it. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { Audit } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { expect, it } from "vitest"
import { columns, type EventRow } from "../../src/record.js"
import { restore } from "../../src/restore.js"
import type { Signer } from "../../src/Signer.js"
import { expectedSchema } from "../../src/schema.js"
import { judgeAfter, takeIncoming } from "../../src/sync/judging.js"
import { unguarded } from "../../src/sync/triggers.js"
import { readCovered, toAcknowledge } from "../../src/trust/acknowledged.js"
import { readMembership } from "../../src/trust/membership.js"
import { damaged, withNoise } from "../support/audited.js"
import { establish } from "../support/enrolment.js"
import { freshPath, withSqlite } from "../support/files.js"
import { draft, placed, rewritten, signed, stranger, unsigned } from "../support/forger.js"
import { eventsOf, give, machine, machines, status, sync, verify } from "../support/machines.js"
import { memoryDatabase } from "../support/memoryMachine.js"
import { shared, timeout, type World } from "../support/tampered.js"

/** What whoever has the token appends by hand: a hash that follows from nothing. */
const addNoise = async ({ a, b, client, known }: World, name: string) => {
  for (const one of [a, b]) withNoise(one.path)
  const noise = rewritten(known[7] as EventRow, { signature: null, data: "{}", id: name, stream: `server-${name}` })
  await client.execute({
    sql: `INSERT INTO events (${columns}) VALUES (${columns.split(", ").map((of) => (of === "position" ? "(SELECT max(position) + 1 FROM events)" : "?"))})`,
    args: noise.with(3, 1).with(10, `hash-of-${name}`).slice(1) as Array<string>,
  })
}

const [root, admin, member] = ["root", "admin", "member"].map((name) => stranger(name)) as [Signer, Signer, Signer]

const acknowledge = (of: World["a"]) => machines(of, (service) => service.acknowledge(false))

/** A log of 8 events, one of noise, what two machines wrote after it, and the word of an admin who has seen it. */
const acknowledgedWorld = async (): Promise<World> => {
  const world = await shared()
  await addNoise(world, "noise")
  for (const one of [world.a, world.b]) {
    await sync(one)
    await give(one, (r) => r.servers.add({ name: `after-${one.name}` }))
    await sync(one)
  }
  await sync(world.a)
  expect(await acknowledge(world.a)).toBe(1)
  for (const one of [world.a, world.b]) await sync(one)
  return world
}

it("makes the log green for all, until something else comes", { timeout }, async () => {
  const world = await acknowledgedWorld()
  for (const one of [world.a, world.b]) {
    expect(await verify(one)).toMatchObject({ ok: true, inert: 1 })
    expect(await status(one)).toMatchObject({ inert: 0, inertEvents: [], breaks: [] })
  }
  expect(await acknowledge(world.a)).toBe(0)
  await addNoise(world, "more")
  for (const one of [world.a, world.b]) await sync(one)
  for (const one of [world.a, world.b]) {
    expect(await verify(one)).toMatchObject({ ok: false, findings: [{ kind: "inert", position: 13 }] })
    expect(await status(one)).toMatchObject({ inert: 1, inertEvents: [{ position: 13 }] })
  }
  expect(await acknowledge(world.a)).toBe(1)
  await sync(world.a)
  expect(await verify(world.a)).toMatchObject({ ok: true, inert: 2 })
})

/** Writes over a file what no program of ours would. */
const doctored = (path: string, sql: string): string => {
  const copy = damaged(freshPath())
  withSqlite(path, (database) => database.exec(`VACUUM INTO '${copy}'`))
  const triggers = [...expectedSchema].filter(([name]) => name !== "events")
  withSqlite(copy, (database) => {
    for (const [name] of triggers) database.exec(`DROP TRIGGER ${name}`)
    database.exec(sql)
    for (const [, made] of triggers) database.exec(made)
  })
  return copy
}

it("covers nothing in a copy in which what counted was changed", { timeout }, async () => {
  const { a } = await acknowledgedWorld()
  for (const position of [2, 5, 6, 7, 8, 10, 11]) {
    const row = eventsOf(a.path)[position - 1] as EventRow
    const changed = rewritten(row, { data: row[6].replace(/"(name|to)":"[^"]*"/, '"$1":"other"') })
    const sql = `UPDATE events SET data = '${changed[6]}', digest = '${changed[13]}' WHERE position = ${position}`
    const path = withNoise(freshPath())
    await Effect.runPromise(restore(doctored(a.path, sql), path))
    const restored = machine("restored", undefined, { path })
    const { findings, ok } = await verify(restored)
    expect({ position, ok }).toEqual({ position, ok: false })
    const told = findings.map(({ message }) => message).join("\n")
    expect(told).toContain(`position ${position} counts for nothing`)
    expect(told.includes("these are other places")).toBe(position < 9)
    expect((await status(restored)).inertEvents.map((one) => one.position)).toContain(position)
    await restored.close()
  }
  // The copy as it is holds.
  const path = withNoise(freshPath())
  await Effect.runPromise(restore(doctored(a.path, ""), path))
  const restored = machine("restored", undefined, { path })
  expect(await verify(restored)).toMatchObject({ ok: true, inert: 1 })
  await restored.close()
})

const exported = (of: World["a"]) =>
  of.run(Effect.flatMap(Audit, (audit) => Effect.map(Stream.runCollect(audit.export), (lines) => [...lines])))
const imported = async (lines: ReadonlyArray<string>) => {
  const path = withNoise(freshPath())
  const to = machine("imported", undefined, { path, signed: false })
  const taken = await to.run(Effect.flatMap(Audit, (audit) => Effect.either(audit.import(Stream.fromIterable(lines)))))
  return { path, taken, to }
}

it("is what an import takes noise by that says a hash which is not its own", { timeout }, async () => {
  const world = await shared()
  await addNoise(world, "noise")
  await sync(world.a)
  const refused = await imported(await exported(world.a))
  expect(refused.taken).toMatchObject({ _tag: "Left", left: { reason: expect.stringMatching(/breaks at position 9;.*acknowledge/) } }) // biome-ignore format: one line
  expect(eventsOf(refused.path)).toEqual([])
  await refused.to.close()
  await acknowledge(world.a)
  const lines = await exported(world.a)
  const { path, taken, to } = await imported(lines)
  expect(taken).toMatchObject({ _tag: "Right", right: { events: 10, inert: 1 } })
  expect(eventsOf(path)).toEqual(eventsOf(world.a.path))
  expect(await verify(to)).toMatchObject({ ok: true, inert: 1 })
  await to.close()
  // Any line that is changed is seen, beneath what was acknowledged, too.
  for (const index of [1, 4, 6]) {
    const line = JSON.parse(lines[index] as string)
    const other = { ...line, data: { ...line.data, name: "other" } }
    const doctored = await imported(lines.with(index, JSON.stringify(other)))
    expect(doctored.taken).toMatchObject({ _tag: "Left" })
    expect(eventsOf(doctored.path)).toEqual([])
    await doctored.to.close()
  }
})

it("is not what it was where it stands before what it covers, nor does a break stand for what counts for nothing", async () => {
  const { connection } = memoryDatabase("memory")
  const rootId = establish(
    connection,
    root,
    [admin, member].map((one) => ({ ...one, role: "admin" as const })),
  )
  const take = (rows: ReadonlyArray<EventRow>) => {
    const made = placed(connection, rows)
    takeIncoming(connection, judgeAfter(connection, (made[0] as EventRow)[0] - 1, made))
  }
  const covered = () => readCovered(connection, readMembership(connection))
  const [noise] = unsigned([draft()])
  take([noise as EventRow])
  const seen = toAcknowledge(connection)
  expect(seen).toMatchObject({ until: 2, count: 1 })
  const says = (data: unknown) => {
    const type = { stream: machinesStream, type: "InertAcknowledged", schema: 2, body: data }
    take(signed([draft(type)], root, rootId))
    return covered()
  }
  // Of places that come after it, or are there as something else, it says nothing.
  expect(says({ ...seen, until: 1_000 })).toBe(0)
  expect(says(seen)).toBe(2)
  unguarded(connection, () => connection.exec("UPDATE events SET id = 'another' WHERE position = 2"))
  expect(covered()).toBe(0)
  unguarded(connection, () => connection.prepare("UPDATE events SET id = ? WHERE position = 2").run(noise?.[1]))
  expect(covered()).toBe(2)
  connection.exec("DELETE FROM inert; INSERT INTO breaks VALUES (2, 'x')")
  expect(covered()).toBe(0)
})
