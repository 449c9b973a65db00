/** What travels is bounded in bytes, whatever letters it is written with: a server takes and gives a text of at most 5 MB. */

import { EventLog } from "@context-engine/core/EventLog"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { seal } from "../../src/append.js"
import { mostRefusal, mostUnit } from "../../src/record.js"
import { remoteLog } from "../../src/sync/http.js"
import type { Draft } from "../../src/trust/sealing.js"
import { damaged, withNoise } from "../support/audited.js"
import { serverAdded, uuid } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, signed, slipIn } from "../support/forger.js"
import { add, attempt, beginLog, give, heal, type Machine, machine, rejected, rowsHash, servers, signerOf, status, sync, verify } from "../support/machines.js" // biome-ignore format: one line
import { clientOf, startSqld } from "../support/sqld.js"

const timeout = 120_000

const onServer = async (story: (world: Story) => Promise<void>) => {
  const sqld = await startSqld()
  const client = clientOf(sqld)
  const [a, b] = ["a", "b"].map((name) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() }, { deadline: "20 seconds" }))) as [Machine, Machine] // biome-ignore format: one line
  try {
    await beginLog(a, b)
    for (const one of [a, b]) await sync(one)
    await story({ a, b, client })
  } finally {
    for (const one of [a, b]) await one.close()
    client.close()
    await sqld.close()
  }
}

interface Story {
  readonly a: Machine
  readonly b: Machine
  readonly client: ReturnType<typeof clientOf>
}

it.each([
  ["Chinese", "漢"],
  ["emoji", "😀"],
  ["quotes", '"'],
])(
  "a month's work in %s arrives",
  (_, letter) =>
    onServer(async ({ a, b }) => {
      const notes = letter.repeat(16_000 / letter.length)
      const names = Array.from({ length: 180 }, (_, index) => `s${index}`)
      for (const name of names) await give(a, (r) => r.servers.add({ name, notes }))
      expect(await sync(a)).toMatchObject({ pushed: names.length, pending: 0 })
      expect(await sync(b)).toMatchObject({ pulled: names.length })
      expect(await servers(b)).toHaveLength(names.length)
      for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true })
    }),
  timeout,
)

const repeated = (count: number, letter: string) => `replace(hex(zeroblob(${count / 2})), '0', ${letter})`
const invalid = (bytes: number) => `CAST(CAST(${repeated(bytes, "'x'")} AS BLOB) || x'ff' AS TEXT)`
const noText = (bytes: number) => `CAST(unhex(replace(hex(zeroblob(${bytes})), '0', 'f')) AS TEXT)`
const kind = (letter: string) => `printf('%.*c', 300, ${letter})`

/** What somebody with the token puts there, as often as a page holds: `data` and what names it. */
const noise: Readonly<
  Record<string, { readonly rows: number; readonly data: string; readonly type?: string; readonly meta?: string }>
> = {
  "4 of 900,000 emoji": { rows: 4, data: repeated(900_000, "'😀'") },
  "one of a million control characters": { rows: 1, data: repeated(1_000_000, "char(1)") },
  "8 of 700,000 control characters": { rows: 8, data: repeated(700_000, "char(1)") },
  "one of 3 million quotes": { rows: 1, data: repeated(3_000_000, "char(34)") },
  "one of 3.8 million letters": { rows: 1, data: repeated(3_800_000, "'x'") },
  "one of 4.9 million letters": { rows: 1, data: repeated(4_900_000, "'x'") },
  "one of 2.6 million letters and a byte that is none": { rows: 1, data: invalid(2_600_000) },
  "one of 3.8 million letters and a byte that is none": { rows: 1, data: invalid(3_800_000) },
  "3 of 1.2 million bytes that are no text": { rows: 3, data: noText(1_200_000) },
  "one of 2 million bytes that are no text": { rows: 1, data: noText(2_000_000) },
  "200 of 20,000 bytes of meta that are no text": { rows: 200, data: "'{}'", meta: noText(20_000) },
  "5,000 types that are no text": { rows: 5_000, data: "'{}'", type: noText(300) },
  "5,000 types of control characters": { rows: 5_000, data: "'{}'", type: kind("char(1)") },
}

const insertNoise = (rows: number, data: string, meta = "'{}'", type = "'X'") =>
  `WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ${rows})
   INSERT INTO events (position, id, stream, version, type, schema, data, meta, occurred_at, recorded_at, hash)
   SELECT last + n, 'noise' || last || '-' || n, 'server-noise' || last, n, ${type}, 1, ${data}, ${meta}, 'x', 'x', 'h' || n
   FROM counted, (SELECT max(position) AS last FROM events)`

it.each(Object.entries(noise))(
  "noise stops nobody, and is put back with the rest: %s",
  (_, { data, meta, rows, type }) =>
    onServer(async ({ a, b, client }) => {
      for (const one of [a, b]) withNoise(one.path)
      await client.execute(insertNoise(rows, data, meta, type))
      await add(a, "one")
      for (const one of [a, b]) expect(await attempt(one)).toMatchObject({ _tag: "Right" })
      expect(await servers(b)).toEqual(["one"])
      await heal(a)
      // All is lost there: one that has it puts it back, noise and all, for both.
      await client.executeMultiple("DROP TABLE events; DROP TABLE log")
      await heal(a)
      await add(b, "two")
      for (const one of [b, a]) expect(await attempt(one)).toMatchObject({ _tag: "Right" })
      expect(await servers(a)).toEqual(["one", "two"])
      expect(await status(a)).toMatchObject({ pending: 0, lastError: null })
    }),
  timeout,
)

it(
  "a large event arrives beside a byte that is no text",
  () =>
    onServer(async ({ a, b, client }) => {
      for (const one of [a, b]) withNoise(one.path)
      await client.execute(insertNoise(1, noText(10)))
      await add(a, "alpha")
      const config = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`k${index}`, "x".repeat(4_000)]))
      expect(await give(a, (r) => r.services.add({ name: "api", server: "alpha", config } as never))).toMatchObject({ _tag: "Right" }) // biome-ignore format: one line
      await client.execute(insertNoise(1, noText(10)))
      for (const one of [a, b]) expect(await sync(one)).toMatchObject({ pending: 0 })
      expect(rowsHash(b.path)).toBe(rowsHash(a.path))
      await heal(b)
      expect(await status(b)).toMatchObject({ pending: 0, lastError: null })
    }),
  timeout,
)

it("what no server would take is refused before it is written", () => {
  const of = (bytes: number, type: string, stream = "server-1") => [
    { stream, expected: 0, events: [event({ text: "漢".repeat(bytes / 3) }, type)] },
  ]
  expect(seal(of(mostUnit - 2_000, "Noted"))).toHaveLength(1)
  expect(() => seal(of(mostUnit, "Noted"))).toThrow("a shared log takes at most 3.8 MB of one command")
  expect(() => seal(of(mostRefusal, "CommandRejected", "rejection-1"))).toThrow("it is too long")
})

it("the largest command that there can be is told as refused, and given again", async () => {
  const { a, b } = await fleet("a", "b")
  await add(a, "alpha")
  for (const one of [a, b]) await sync(one)
  const config = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`k${index}`, '"漢'.repeat(1_000)]))
  expect(await give(b, (r) => r.services.add({ name: "api", server: "alpha", config } as never))).toMatchObject({ _tag: "Right" }) // biome-ignore format: one line
  await give(a, (r) => r.servers.remove("alpha"))
  await sync(a)
  expect(await sync(b)).toMatchObject({ pending: 0, rejected: [{ outcome: "refused" }] })
  await sync(a)
  await add(a, "alpha")
  for (const one of [a, b]) await sync(one)
  const [told] = await rejected(b)
  await b.run(Effect.flatMap(Sync, (service) => Effect.either(service.retry(told?.id as string))))
  for (const one of [b, a]) expect(await sync(one)).toMatchObject({ pending: 0 })
  for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  for (const one of [a, b]) await one.close()
})

it.each([
  ["short", "me", 3_000],
  ["wide", '漢"'.repeat(240), 500],
])(
  "so is the one of the most events, of an actor with a %s name",
  async (_, actor, least) => {
    const { a, b } = await fleet("a", "b")
    for (const one of [a, b]) await sync(one)
    const appends = (count: number) =>
      Array.from({ length: count }, (_, index) => ({
        stream: `server-${uuid()}`,
        expected: 0,
        events: [by(actor, serverAdded(index === 0 ? "taken" : `s${index}`))],
      }))
    let [count, tooMany] = [0, 6_000]
    while (tooMany - count > 25) {
      const half = Math.floor((count + tooMany) / 2)
      if (isTaken(appends(half))) count = half
      else tooMany = half
    }
    expect(count).toBeGreaterThan(least)
    await b.run(Effect.flatMap(EventLog, (log) => log.append(appends(count))))
    await add(a, "taken")
    await sync(a)
    expect(await sync(b)).toMatchObject({ pending: 0, rejected: [{ outcome: "refused" }] })
    await sync(a)
    for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    for (const one of [a, b]) await one.close()
  },
  60_000,
)

/** As older versions wrote it, and whoever has a member's key can: more at once than one event can tell as refused. */
const tooMuch: Readonly<Record<string, () => ReadonlyArray<Draft>>> = {
  "two of 3 MB": () => ["taken", "s1"].map((name) => draft({ body: { ...ofServer(name), tags: Array.from({ length: 3_000 }, () => "y".repeat(1_000)) } })), // biome-ignore format: one command
  "12,000 small ones": () => Array.from({ length: 12_000 }, (_, n) => draft({ body: ofServer(n === 0 ? "taken" : `s${n}`) })), // biome-ignore format: one command
  "one of 3.89 MB": () => [
    draft({ body: { ...ofServer("taken"), tags: Array.from({ length: 3_870 }, () => "y".repeat(1_000)) } }),
  ],
  "one that is nested as deep as it may": () => [
    draft({ body: ofServer("taken") }),
    draft({ type: "MoonLanded", body: JSON.parse(`${'{"a":'.repeat(63)}1${"}".repeat(63)}`) }),
  ],
}
const ofServer = (name: string) => serverAdded(name).data as Record<string, unknown>

describe("what was written at once, and is more than is written now", () => {
  it.each(Object.entries(tooMuch))("is told as refused all the same, and heals: %s", { timeout }, async (_, drafts) => {
    const { a, b, rootId, save, there } = await fleet("a", "b")
    await add(a, "alpha")
    for (const one of [a, b]) await sync(one)
    const putBack = save()
    const rows = drafts()
    slipIn(there(), placed(there(), signed(rows, signerOf(b), rootId)))
    await sync(a)
    putBack()
    slipIn(there(), placed(there(), signed([draft({ body: ofServer("taken") })], signerOf(a), rootId)))
    await heal(a)
    for (const one of [b, a]) await sync(one)
    const told = (await rejected(a)).flatMap(({ events }) => events.map(({ id }) => id))
    expect(told.toSorted()).toEqual(rows.map(({ id }) => id).toSorted())
    await heal(a)
    expect((await rejected(a)).flatMap(({ events }) => events)).toHaveLength(rows.length)
    expect(rowsHash(b.path)).toBe(rowsHash(a.path))
    for (const one of [a, b]) expect(await status(one)).toMatchObject({ pending: 0, lastError: null, inert: 0 })
    for (const one of [a, b]) damaged(one.path)
    for (const one of [a, b]) await one.close()
  })
})

const by = (actor: string, event: ReturnType<typeof serverAdded>) => ({
  ...event,
  meta: { ...event.meta, actor, machine: actor },
})

const isTaken = (appends: Parameters<typeof seal>[0]): boolean => {
  try {
    seal(appends)
    return true
  } catch {
    return false
  }
}

const event = (data: unknown, type: string) => ({
  ...{ id: uuid(), type, schema: 1, occurredAt: "2026-01-01T00:00:00.000Z", data },
  meta: { actor: "a", via: "library" as const, machine: "m", commandId: "c" },
})
