/** A shared log on a real server, and what somebody does to it who may run any SQL there. */
import { Audit } from "@context-engine/core/services/Audit"
import { Sync, type SyncOptions } from "@context-engine/core/services/Sync"
import type { Client } from "@libsql/client/http"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { afterEach, expect } from "vitest"
import { Database } from "../../src/Database.js"
import { columns, type EventRow } from "../../src/record.js"
import { expectedSchema } from "../../src/schema.js"
import { remoteLog } from "../../src/sync/http.js"
import { invite as makeInvite } from "./enrolment.js"
import { beginLog, eventsOf, give, type Machine, machine, rowsHash, status, sync, verify } from "./machines.js"
import { clientOf, type Sqld, startSqld } from "./sqld.js"

/** A server is started for each of these tests. */
export const timeout = 60_000

export const heal = (of: Machine, options: SyncOptions = {}) =>
  of.run(Effect.flatMap(Sync, (service) => service.heal(options)))
export const refusal = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => Effect.flip(service.heal())))
/** What heal said of the events and of the log as a whole; of triggers it says what it always did. */
export const healedNotes = async (of: Machine) =>
  (await of.run(Effect.flatMap(Sync, (service) => service.log())))
    .filter(({ detail, what }) => what === "healed" && !detail.includes("the shared log's tables"))
    .map(({ detail }) => detail)
const exported = async (of: Machine) =>
  Chunk.toReadonlyArray(await of.run(Effect.flatMap(Audit, (audit) => Stream.runCollect(audit.export))))
export const invite = (of: Machine) =>
  of.run(
    Effect.flatMap(Database, (database) =>
      Effect.flatMap(
        database.read((connection) => connection),
        (connection) => makeInvite(connection),
      ),
    ),
  )

export interface World {
  readonly sqld: Sqld
  readonly a: Machine
  readonly b: Machine
  readonly client: Client
  readonly known: ReadonlyArray<EventRow>
  readonly another: (name: string) => Machine
}

const opened: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

/** A log of eight events that two machines know, and a client of whoever holds the token. */
export const shared = async ({ more = 0 } = {}): Promise<World> => {
  const sqld = await startSqld()
  const another = (name: string) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() }))
  const [a, b] = [another("a"), another("b")]
  await beginLog(a, b)
  for (const name of ["one", "two", "three", "four"]) await give(a, (r) => r.servers.add({ name }))
  await give(a, (r) => r.servers.rename("one", "uno"))
  await sync(a)
  await sync(b)
  for (const name of ["five", "six"]) await give(b, (r) => r.servers.add({ name }))
  for (let i = 0; i < more; i++) await give(b, (r) => r.servers.add({ name: `more-${i}` }))
  for (const one of [b, a]) await sync(one)
  const client = clientOf(sqld)
  opened.push(() => sqld.close())
  const known = eventsOf(a.path)
  expect(known.length).toBe(8 + more)
  return { sqld, a, b, client, known, another }
}

const triggers = [...expectedSchema].filter(([name]) => name !== "events")

/** What somebody does who may run any SQL: without the guards, which are made again or not. */
export const tamper = (client: Client, sql: string, again = false) =>
  client.executeMultiple(
    [...triggers.map(([name]) => `DROP TRIGGER ${name}`), sql, ...(again ? triggers.map(([, made]) => made) : [])].join(
      ";\n",
    ),
  )

export const rowsThere = async (client: Client): Promise<ReadonlyArray<ReadonlyArray<unknown>>> => {
  const { rows } = await client.execute(`SELECT ${columns} FROM events ORDER BY position`)
  return rows.map((row) => Array.from(row as ArrayLike<unknown>))
}

/** All is as it was, for who knows the log and for who comes to it. */
export const expectWhole = async ({ a, another, b, client, known }: World, notes: ReadonlyArray<string>) => {
  expect((await rowsThere(client)).slice(0, known.length)).toEqual(known)
  expect(await healedNotes(a)).toEqual(notes.length === 0 ? [] : [expect.stringContaining(notes.join("; "))])
  const made = await client.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")
  expect(made.rows.map(({ name }) => name)).toEqual(["events_append_only", "events_no_delete", "events_no_update"])
  const code = await invite(a)
  await sync(a)
  const newcomer = another("new")
  await newcomer.run(Effect.flatMap(Sync, (service) => service.now({ invite: code })))
  await give(newcomer, (r) => r.servers.add({ name: "seven" }))
  for (const one of [newcomer, a, b]) await sync(one)
  for (const one of [a, b, newcomer]) {
    expect(await status(one)).toMatchObject({ lastError: null, pending: 0 })
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    expect(rowsHash(one.path)).toBe(rowsHash(a.path))
    expect(await exported(one)).toEqual(await exported(a))
  }
}

export const setTo = (column: string, value: string, position = 5) =>
  `UPDATE events SET ${column} = ${value} WHERE position = ${position}`
export const gone = (position: number) => `an event that was gone is back: position ${position}`
