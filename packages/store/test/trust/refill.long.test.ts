/** Rows of the shared log that whoever holds its token took away or changed: heal writes them as they were. */
import { expect, it } from "vitest"
import { remoteLog } from "../../src/sync/http.js"
import { machine } from "../support/machines.js"
import { expectWhole, gone, heal, healedNotes, rowsThere, setTo, shared, tamper, timeout } from "../support/tampered.js"

const changed = (position: number) =>
  `an event of the shared log was not what was written, and is again: position ${position}`

interface Damage {
  readonly what: string
  readonly sql: string
  readonly notes: ReadonlyArray<string>
}

const damages: ReadonlyArray<Damage> = [
  { what: "a row in the middle is gone", sql: "DELETE FROM events WHERE position = 3", notes: [gone(3)] },
  { what: "the first row is gone", sql: "DELETE FROM events WHERE position = 1", notes: [gone(1)] },
  {
    what: "several rows are gone",
    sql: "DELETE FROM events WHERE position IN (1, 2, 4, 6, 7)",
    notes: ["5 events that were gone are back: positions 1, 2, 4, 6 and 7"],
  },
  {
    what: "some are gone and some are changed",
    sql: "DELETE FROM events WHERE position = 4; UPDATE events SET data = '{}' WHERE position IN (3, 5, 7)",
    notes: ["3 events of the shared log were not what was written, and are again: positions 3, 5 and 7", gone(4)],
  },
  {
    what: "one is gone and the last is, too",
    sql: "DELETE FROM events WHERE position IN (3, 8)",
    notes: [],
  },
  { what: "it is moved beyond the end", sql: setTo("position", "99", 3), notes: [gone(3)] },
  { what: "it is moved before the beginning", sql: setTo("position", "-3", 3), notes: [gone(3)] },
  {
    what: "it is moved to a position that no program can say",
    sql: setTo("position", "9007199254740995", 3),
    notes: [gone(3)],
  },
  {
    what: "two have each other's positions",
    sql: `${setTo("position", "-1", 3)}; ${setTo("position", "3", 4)}; ${setTo("position", "4", -1)}`,
    notes: ["2 events of the shared log were not what was written, and are again: positions 3 and 4"],
  },
  {
    what: "all from the third on stand one later",
    sql: "UPDATE events SET position = -position - 1 WHERE position >= 3; UPDATE events SET position = -position WHERE position < 0",
    notes: [
      "5 events of the shared log were not what was written, and are again: positions 4, 5, 6, 7 and 8; an event that was gone is back: position 3",
    ],
  },
  {
    what: "two have each other's ids and streams",
    sql: `CREATE TABLE kept AS SELECT * FROM events WHERE position IN (3, 6);
      UPDATE events SET id = 'x' || id, stream = 'x' || stream WHERE position IN (3, 6);
      UPDATE events SET (id, stream, version) = (SELECT id, stream, version FROM kept WHERE kept.position = 9 - events.position) WHERE position IN (3, 6);
      DROP TABLE kept`,
    notes: ["2 events of the shared log were not what was written, and are again: positions 3 and 6"],
  },
]

it.each(damages.flatMap((damage) => [true, false].map((again) => ({ ...damage, again }))))(
  "$what; the guards made again: $again",
  { timeout },
  async ({ again, notes, sql, what }) => {
    const world = await shared()
    await tamper(world.client, sql, again)
    await heal(world.a)
    // Where its end is gone as well, that goes back by the exchange.
    if (what.includes("the last is, too")) {
      const told = await healedNotes(world.a)
      expect(told).toEqual(["the shared log had kept 7 of 8 events", expect.stringContaining(gone(3))])
      expect(await rowsThere(world.client)).toEqual(world.known)
    } else await expectWhole(world, notes)
  },
)

const values: Readonly<Record<string, string>> = {
  id: "'another'",
  stream: "'server-another'",
  version: "7",
  type: "'ServerRemoved'",
  schema: "9",
  data: `replace(data, 'four', 'evil')`,
  meta: `replace(meta, '"a"', '"z"')`,
  occurred_at: "'2001-01-01T00:00:00.000Z'",
  signature: "'AAAA'",
  salt: "'salt'",
  digest: "NULL",
}
const strange: Readonly<Record<string, string>> = {
  id: "'caf' || char(233)",
  version: "9007199254740995",
  schema: "-1",
  data: "'x' || CAST(x'ff00fe' AS TEXT)",
  meta: "printf('%.*c', 100000, 'x')",
  type: "''",
  signature: "NULL",
  salt: "NULL",
  recorded_at: "'yesterday'",
}
const cases = [values, strange].flatMap((all) => Object.entries(all).map(([column, value]) => ({ column, value })))

it.each(cases)("the column $column was set to $value", { timeout }, async ({ column, value }) => {
  const world = await shared()
  await tamper(world.client, setTo(column, value), column.length % 2 === 0)
  await heal(world.a)
  await expectWhole(world, [changed(5)])
})

it("when an event was recorded is the shared log's word, as long as that is a time in its order", {
  timeout,
}, async () => {
  const world = await shared()
  const [before, after] = [world.known[3]?.[9], world.known[5]?.[9]] as [string, string]
  await tamper(world.client, setTo("recorded_at", `'${before}'`), true)
  await heal(world.a)
  expect(await healedNotes(world.a)).toEqual([])
  expect((await rowsThere(world.client))[4]?.[9]).toBe(before)
  const late = new Date(Date.parse(after) + 1).toISOString()
  for (const time of [late, "2001-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z"]) {
    await tamper(world.client, setTo("recorded_at", `'${time}'`), true)
    await heal(world.a)
    expect(await rowsThere(world.client)).toEqual(world.known)
  }
  expect((await healedNotes(world.a)).length).toBe(4)
  await tamper(world.client, "UPDATE events SET recorded_at = '2999-01-01T00:00:00.000Z'", true)
  await heal(world.a)
  expect(await rowsThere(world.client)).toEqual(world.known)
})

it("an undamaged log is only read, and nothing is said", { timeout }, async () => {
  const world = await shared()
  // With a token that may write nothing.
  const reader = remoteLog({ url: world.sqld.url, token: world.sqld.token({ a: "ro" }) })
  await heal(machine("a", reader, { path: world.a.path }))
  await expectWhole(world, [])
})

it("all of two thousand rows, whose ids and streams are each other's", { timeout: 180_000 }, async () => {
  const world = await shared({ more: 1_992 })
  let started = performance.now()
  await heal(world.a)
  let whole = performance.now() - started
  console.log(`the first heal: ${whole.toFixed(0)} ms`)
  started = performance.now()
  await heal(world.a)
  whole = performance.now() - started
  expect(await healedNotes(world.a)).toEqual([])
  // All of a stream's versions and all ids are another's, and a third is gone: none can go back before others make room.
  await tamper(
    world.client,
    `DELETE FROM events WHERE position < 1500 AND position % 3 = 0;
     CREATE TABLE kept AS SELECT position, id, stream, version FROM events;
     UPDATE events SET id = 'x' || id, stream = 'x' || stream;
     UPDATE events SET (id, stream, version) = (SELECT id, stream, version FROM kept WHERE kept.position < events.position ORDER BY position DESC LIMIT 1)
       WHERE position > 1;
     DROP TABLE kept`,
  )
  started = performance.now()
  await heal(world.a)
  const damaged = performance.now() - started
  console.log(
    `heal of 2,000 events: ${whole.toFixed(0)} ms; with all of them changed or gone: ${damaged.toFixed(0)} ms`,
  )
  expect(whole).toBeLessThan(30_000)
  const [note = ""] = await healedNotes(world.a)
  expect(note).toContain("1501 events of the shared log were not what was written, and are again: positions 1, 2, 4, 5")
  expect(note).toContain("499 events that were gone are back: positions 3, 6, 9")
  expect(note.length).toBeLessThan(600)
  await expectWhole(world, [note])
})
