/** Whatever a server's own tables take from whoever has the token, by hand: it counts for nothing, and stops nobody. */

import { Audit } from "@context-engine/core/services/Audit"
import { diagnose } from "@context-engine/core/services/Diagnosis"
import { Sync } from "@context-engine/core/services/Sync"
import { createClient } from "@libsql/client/http"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { expect, it, vi } from "vitest"
import { database } from "../../src/doctor/database.js"
import { columns } from "../../src/record.js"
import { restore } from "../../src/restore.js"
import { remoteLog } from "../../src/sync/http.js"
import { withNoise } from "../support/audited.js"
import { freshPath } from "../support/files.js"
import { beginLog, eventsOf, give, machine, rowsHash, servers, sync } from "../support/machines.js"
import { seedOf } from "../support/random.js"
import { startSqld } from "../support/sqld.js"

vi.setConfig({ testTimeout: 120_000 })

/** In hex: bytes need not be text. `position` is where the row will stand. */
type Text = (position: number, honest: ReadonlyArray<string>) => string

const hex = (text: string): string => Buffer.from(text).toString("hex")
const texts: ReadonlyArray<Text> = [
  ...[-2, -1, 0, 1, 2, 3].map((by) => (position: number) => hex(`inert-${position + by}`)),
  ...["", "\0", "\u0001", "a\0b", "a", "inert-", "inert-x", "\u202egpj", "é", "x".repeat(300), "x".repeat(301), "{}", "[]", "null", '"', "9".repeat(40), "2026-01-01T00:00:00.000Z"].map((text) => () => hex(text)), // biome-ignore format: one list
  // Bytes that are no text: cut off, a half of a pair, and what no encoding has.
  ...["c3", "eda080", "ff00ff", `61${"00".repeat(299)}`].map((bytes) => () => bytes),
  (_, honest) => hex(honest[0] as string),
  (_, honest) => hex(`${honest[0]}\0`),
]

const rest = columns.split(", ").filter((name) => !["position", "version", "schema"].includes(name))
const cell = fc.constantFrom(...texts)
const row = fc.record({ texts: fc.tuple(...rest.map(() => cell)), schema: fc.constantFrom(-1, 0, 1, 2, 2 ** 40) })

/** As the guards of the server's tables want it: the next place of the log, and of its stream. */
const insertOf = (cells: ReadonlyArray<string>, schema: number): string => {
  const said = new Map(rest.map((name, index) => [name, `CAST(x'${cells[index]}' AS TEXT)`]))
  said.set("position", "(SELECT max(position) + 1 FROM events)").set("schema", String(schema))
  said.set("version", `(SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = ${said.get("stream")})`)
  const names = columns.split(", ")
  return `INSERT INTO events (${columns}) VALUES (${names.map((name) => said.get(name)).join(", ")})`
}

it.each([true, false])("is taken over by all, and they go on (in a log that is signed: %s)", async (signed) => {
  const sqld = await startSqld()
  const client = createClient({ url: sqld.url, authToken: Redacted.value(sqld.token()) })
  const remote = () => remoteLog({ url: sqld.url, token: sqld.token() }, { deadline: "20 seconds" })
  const [a, b] = [machine("a", remote(), { signed }), machine("b", remote(), { signed })]
  for (const one of [a, b]) withNoise(one.path)
  if (signed) await beginLog(a, b)
  else await give(a, (r) => r.servers.add({ name: "first" }))
  for (const one of [a, b]) await sync(one)
  let added = 0
  let taken = 0
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 4 }), async (rows) => {
      const there = eventsOf(a.path)
      const honest = there.map(({ 1: id }) => id).reverse()
      for (const [index, { schema, texts }] of rows.entries()) {
        const cells = texts.map((text) => text(there.length + 1 + index, honest))
        // What the server itself refuses is no matter of ours.
        const done = await client.execute(insertOf(cells, schema)).catch(() => undefined)
        if (done !== undefined) taken += 1
      }
      const name = `s${added++}`
      await give(b, (r) => r.servers.add({ name }))
      for (const one of [a, b, a]) await one.run(Effect.flatMap(Sync, (service) => service.now()))
      expect(eventsOf(a.path)).toEqual(eventsOf(b.path))
      expect(await servers(a)).toContain(name)
    }),
    { seed: seedOf("any row"), numRuns: 60, endOnFailure: true },
  )
  // Nothing of it is to be mended, and who comes later finds the same.
  for (const one of [a, b]) await one.run(Effect.flatMap(Sync, (service) => service.heal()))
  const c = machine("c", remote(), { signed })
  withNoise(c.path)
  await sync(c).catch(() => undefined)
  for (const one of [a, b]) await sync(one)
  for (const one of [b, c]) expect(eventsOf(one.path)).toEqual(eventsOf(a.path))
  for (const one of [b, c]) expect(rowsHash(one.path)).toBe(rowsHash(a.path))
  // A server that lost everything gets all of it back, that too.
  const before = eventsOf(a.path)
  await sqld.kill()
  sqld.restore(undefined)
  await sqld.start()
  for (const one of [a, b, c]) await one.run(Effect.flatMap(Sync, (service) => Effect.either(service.heal())))
  await give(a, (r) => r.servers.add({ name: "after" }))
  for (const one of [a, b]) await sync(one)
  expect(eventsOf(a.path).slice(0, before.length)).toEqual(before)
  expect(eventsOf(b.path)).toEqual(eventsOf(a.path))
  expect(await servers(b)).toContain("after")
  // And it goes into another file with the rest.
  const [replayed, restored] = [withNoise(freshPath()), withNoise(freshPath())]
  await a.run(Effect.flatMap(Audit, (audit) => audit.replay(String(eventsOf(a.path).length), replayed)))
  await Effect.runPromise(restore(a.path, restored))
  for (const path of [replayed, restored]) {
    expect(rowsHash(path)).toBe(rowsHash(a.path))
    expect(eventsOf(path)).toEqual(eventsOf(a.path))
  }
  const { findings } = await Effect.runPromise(diagnose([database(a.path)]))
  expect(findings.find(({ check }) => check === "chain")?.level).toBe("ok")
  expect(taken).toBeGreaterThan(20)
  for (const one of [a, b, c]) await one.close()
  client.close()
  await sqld.close()
})
