/** Whoever holds the token of a plain server can change the shared log's tables themselves: heal puts them right. */
import { createClient } from "@libsql/client/http"
import * as Redacted from "effect/Redacted"
import { expect, it } from "vitest"
import { remoteLog } from "../../src/sync/http.js"
import { beginLog, give, heal, type Machine, machine, rowsHash, status, sync, verify } from "../support/machines.js"
import { startSqld } from "../support/sqld.js"

interface Damage {
  readonly what: string
  readonly sql: string
  /** What a machine is told that has something to push, where that does not come through. */
  readonly told?: RegExp
}

const healed = /sync heal/

const damages: ReadonlyArray<Damage> = [
  { what: "the log's name is gone", sql: "DELETE FROM log", told: healed },
  { what: "the table of the log's name is gone", sql: "DROP TABLE log", told: healed },
  {
    what: "a view stands for the table of the log's name",
    sql: "DROP TABLE log; CREATE VIEW log AS SELECT 'x' AS log_id, 2 AS schema",
    told: /another log than the one/,
  },
  {
    what: "there are two names",
    sql: "INSERT INTO log SELECT 'another', schema, created_at FROM log",
    told: healed,
  },
  { what: "the name is none", sql: "UPDATE log SET log_id = ''", told: healed },
  { what: "the name is no text", sql: "UPDATE log SET log_id = CAST(x'ff' AS TEXT)", told: healed },
  { what: "the name is a long one", sql: "UPDATE log SET log_id = printf('%.*c', 300, 'x')", told: healed },
  {
    what: "beside the name stands what is no text",
    sql: "INSERT INTO log SELECT CAST(x'ff' AS TEXT), schema, created_at FROM log",
    told: healed,
  },
  { what: "its schema is none", sql: "UPDATE log SET schema = 0", told: healed },
  { what: "the events are gone, the name is left", sql: "DROP TABLE events", told: healed },
  {
    what: "a trigger drops what is pushed",
    sql: "CREATE TRIGGER drops BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END",
    told: healed,
  },
  {
    what: "a trigger refuses what is pushed",
    sql: `CREATE TRIGGER "it's ""mine""" BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END`,
    told: healed,
  },
  {
    what: "a trigger keeps the log from getting its name back",
    sql: "DELETE FROM log; CREATE TRIGGER never BEFORE INSERT ON log BEGIN SELECT RAISE(IGNORE); END",
    told: healed,
  },
  {
    what: "an index refuses what is pushed",
    sql: `CREATE UNIQUE INDEX "no ""more""" ON events (type) WHERE position > 1`,
    told: healed,
  },
  {
    what: "an index is of what no event has",
    sql: "CREATE INDEX never ON events (json('{' || type))  WHERE position > 2",
    told: healed,
  },
  { what: "a trigger of ours is gone", sql: "DROP TRIGGER events_no_delete" },
  {
    what: "a trigger of ours does nothing any more",
    sql: "DROP TRIGGER events_no_delete; CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT 1; END",
  },
]

it.each(damages)("$what", { timeout: 60_000 }, async ({ sql, told }) => {
  const sqld = await startSqld()
  const [a, b] = ["a", "b"].map((name) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() }))) as [Machine, Machine] // biome-ignore format: one line
  await beginLog(a, b)
  await give(a, (r) => r.servers.add({ name: "alpha" }))
  for (const one of [a, b]) await sync(one)
  const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
  await client.executeMultiple(sql)
  await give(a, (r) => r.servers.add({ name: "beta" }))
  const failed = await sync(a).then(
    () => false,
    () => true,
  )
  expect(failed).toBe(told !== undefined)
  if (told !== undefined)
    expect(await status(a)).toMatchObject({ lastError: { message: expect.stringMatching(told) }, pending: 1 })
  await heal(a)
  await sync(b)
  expect(await status(a)).toMatchObject({ lastError: null, pending: 0 })
  expect(rowsHash(b.path)).toBe(rowsHash(a.path))
  const there = await client.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")
  expect(there.rows.map(({ name }) => name)).toEqual(["events_append_only", "events_no_delete", "events_no_update"])
  await expect(client.execute("DELETE FROM events")).rejects.toThrow("append-only")
  for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true })
  await sqld.close()
})

/** What no log can have, where the guards stood aside: the next event in a place of its stream that is not the next, or under an id that is there. */
const impossible: Readonly<Record<string, string>> = {
  "of another version":
    "INSERT INTO events SELECT position + 1, 'x', stream, version + 76, type, schema, data, meta, occurred_at, recorded_at, hash, NULL, salt, digest FROM events ORDER BY position DESC LIMIT 1",
  "under an id that is there":
    "DROP INDEX IF EXISTS events_id; CREATE TABLE plain AS SELECT * FROM events; DROP TABLE events; ALTER TABLE plain RENAME TO events; INSERT INTO events SELECT position + 1, id, 'x', 1, type, schema, data, meta, occurred_at, recorded_at, hash, NULL, salt, digest FROM events ORDER BY position DESC LIMIT 1",
}

it.each(Object.keys(impossible))(
  "an event %s is told with its place, and the way out",
  { timeout: 60_000 },
  async (what) => {
    const sqld = await startSqld()
    const [a, b] = ["a", "b"].map((name) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() }))) as [Machine, Machine] // biome-ignore format: one line
    await beginLog(a, b)
    await give(a, (r) => r.servers.add({ name: "alpha" }))
    for (const one of [a, b]) await sync(one)
    const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
    await client.executeMultiple(`DROP TRIGGER events_append_only; ${impossible[what]}`)
    await give(b, (r) => r.servers.add({ name: "beta" }))
    for (const one of [a, b]) {
      const failed = await heal(one).then(() => undefined, String)
      expect(failed).toContain("an empty database")
      expect(failed).not.toContain("the database cannot be used")
      expect(await status(one)).toMatchObject({ lastError: { reason: "damaged" } })
    }
    await sqld.kill()
    sqld.restore(undefined)
    await sqld.start()
    for (const one of [a, b, a]) await heal(one)
    expect(rowsHash(b.path)).toBe(rowsHash(a.path))
    for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true })
    await sqld.close()
  },
)

it("a table of another program that is only called like one of ours is left", { timeout: 60_000 }, async () => {
  const sqld = await startSqld()
  const a = machine("a", remoteLog({ url: sqld.url, token: sqld.token() }))
  await beginLog(a)
  await sync(a)
  const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
  await client.executeMultiple(
    "DROP TABLE events; DROP TABLE log; CREATE TABLE log (line TEXT); INSERT INTO log VALUES ('x')",
  )
  expect(await heal(a).then(() => undefined, String)).toContain("an empty database")
  expect((await client.execute("SELECT line FROM log")).rows.map(({ line }) => line)).toEqual(["x"])
  await sqld.close()
})

const altered: Readonly<Record<string, string>> = {
  "a view stands for the events": "ALTER TABLE events RENAME TO away; CREATE VIEW events AS SELECT * FROM away",
  "a column of the events has another name": "ALTER TABLE events RENAME COLUMN type TO kind",
  "what was added to the events later is gone": "ALTER TABLE events DROP COLUMN salt",
}

it.each(Object.keys(altered))(
  "%s: heal says that it cannot be put right there, and so does every exchange after it, until the way that is told was gone",
  { timeout: 60_000 },
  async (what) => {
    const sqld = await startSqld()
    const a = machine("a", remoteLog({ url: sqld.url, token: sqld.token() }))
    await beginLog(a)
    await give(a, (r) => r.servers.add({ name: "alpha" }))
    await sync(a)
    const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
    await client.executeMultiple(`DROP TRIGGER events_no_update; ${altered[what]}`)
    await give(a, (r) => r.servers.add({ name: "beta" }))
    await sync(a).catch(() => {})
    expect(await heal(a).then(() => undefined, String)).toContain("It cannot be put right where it is")
    for (const again of [() => sync(a), () => heal(a)]) {
      await again().catch(() => {})
      const { lastError } = await status(a)
      expect(lastError).toMatchObject({ reason: "damaged", next: expect.stringContaining("an empty database") })
    }
    await sqld.kill()
    sqld.restore(undefined)
    await sqld.start()
    await heal(a)
    expect(await status(a)).toMatchObject({ lastError: null, pending: 0 })
    await sqld.close()
  },
)
