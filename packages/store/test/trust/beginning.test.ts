/** Who begins the root of a log, whichever came first: the first thing that is written, or the shared log. */
import { storedJson } from "@context-engine/core/CanonicalJson"
import { Sync } from "@context-engine/core/services/Sync"
import { projections } from "@context-engine/core/views/all"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { insertRows, place } from "../../src/append.js"
import { Database } from "../../src/Database.js"
import { decode } from "../../src/record.js"
import { writeRows } from "../../src/rows.js"
import { loadSigner } from "../../src/Signer.js"
import { readHead } from "../../src/standing.js"
import { make } from "../../src/sync/RemoteLog.js"
import { newSession, sealUnit } from "../../src/trust/sealing.js"
import { approveAll } from "../support/enrolment.js"
import { serverAdded, uuid } from "../support/events.js"
import { freshPath } from "../support/files.js"
import {
  add,
  eventsOf,
  failure,
  type Machine,
  machine,
  rowsHash,
  signerOf,
  status,
  sync,
  verify,
} from "../support/machines.js"
import { oldRows, writeOldFile } from "../support/oldLog.js"
import { makeSequencer } from "../support/sequencer.js"

const disconnect = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => service.disconnect))
const approve = (of: Machine) =>
  of.run(
    Effect.flatMap(Database, (database) =>
      Effect.flatMap(
        database.read((c) => c),
        approveAll,
      ),
    ),
  )
const types = (path: string) => eventsOf(path).map((row) => row[4])

const shared = () => {
  const sequencer = makeSequencer()
  const there = () => sequencer.connection.prepare("SELECT count(*) FROM events").get()[0] as number
  return { remote: make("memory", sequencer.batch), there }
}

it("a machine that connects to an empty log first begins the root with the first thing that it writes, and pushes both", async () => {
  const { remote, there } = shared()
  const a = machine("a", remote)
  await sync(a)
  expect(await status(a)).toMatchObject({ confirmed: 0, pending: 0, lastError: null })
  await add(a, "alpha")
  expect(types(a.path)).toEqual(["RootEstablished", "ServerAdded"])
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
  await sync(a)
  await add(a, "beta")
  expect(await sync(a)).toMatchObject({ pending: 0 })
  expect(there()).toBe(3)
  expect(await status(a)).toMatchObject({ enrolment: "enrolled", lastError: null })
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], signed: 3, unsigned: 0 })
  await a.close()
})

it("of two that connect to an empty log and both write, one begins it; the other waits to be enrolled, and nothing is lost", async () => {
  const { remote, there } = shared()
  const [a, b] = [machine("a", remote), machine("b", remote)]
  for (const one of [a, b]) await sync(one)
  await add(a, "alpha")
  await add(b, "beta")
  await sync(a)
  expect(await failure(b)).toMatchObject({ reason: "not-enrolled" })
  expect(await status(b)).toMatchObject({ enrolment: "waiting", pending: 1 })
  expect(await verify(b)).toMatchObject({ ok: true, findings: [] })
  // The root, what a wrote under it, and the wish of b to join.
  expect(there()).toBe(3)
  await sync(a)
  expect(await approve(a)).toBe(1)
  for (const one of [a, b, a]) await sync(one)
  expect(types(a.path).filter((type) => type === "RootEstablished").length).toBe(1)
  expect(types(a.path).filter((type) => type === "ServerAdded").length).toBe(2)
  for (const one of [a, b]) {
    expect(eventsOf(one.path)).toEqual(eventsOf(a.path))
    expect(rowsHash(one.path)).toBe(rowsHash(a.path))
    expect(await status(one)).toMatchObject({ enrolment: "enrolled", pending: 0, inert: 0, breaks: [] })
    expect(await verify(one)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
  }
  for (const one of [a, b]) await one.close()
})

it("an older file of this machine alone gets its root before it makes an empty log the shared one", async () => {
  const { remote, there } = shared()
  const path = freshPath()
  writeOldFile(path, oldRows([{ ...loadSigner(`${path}.key`), name: "a" }], ["alpha"]))
  const a = machine("a", remote, { path })
  await sync(a)
  expect(types(path)).toEqual(["MachineJoined", "ServerAdded", "RootEstablished"])
  await add(a, "beta")
  await sync(a)
  expect(there()).toBe(4)
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], signed: 4 })
  await a.close()
})

it("an older file of several machines is not pushed anywhere before a person has said who may write", async () => {
  const { remote, there } = shared()
  const path = freshPath()
  const others = ["b", "c"].map((name) => ({ ...loadSigner(`${freshPath()}.key`), name }))
  writeOldFile(path, oldRows(others, ["beta", "gamma"]))
  const a = machine("a", remote, { path })
  expect(await failure(a)).toMatchObject({ reason: "no-root" })
  expect(await status(a)).toMatchObject({ enrolment: "no-root", pending: 4 })
  expect(there()).toBe(0)
  // What a key that is new to it writes there holds: it joins by its own word, as keys did in logs of that version.
  await add(a, "alpha")
  await add(a, "delta")
  expect(await verify(a)).toMatchObject({ ok: true, findings: [] })
  await disconnect(a)
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
  await add(a, "epsilon")
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], signed: 8, unsigned: 0 })
  await a.close()
})

/** Signs and appends an event as an earlier version did where the shared log was empty: under no root, by a key that never joined. */
const appendRootless = (of: Machine) =>
  of.run(
    Effect.flatMap(Database, (database) =>
      database.write((connection) => {
        const signer = signerOf(of)
        const { data } = serverAdded("early")
        const meta = { actor: "ada", via: "library", machine: "a", commandId: uuid() } as const
        const occurredAt = new Date().toISOString()
        const draft = { id: uuid(), stream: `server-${uuid()}`, type: "ServerAdded", schema: 1, data: storedJson(data), meta, occurredAt } // biome-ignore format: one event
        const { rows } = sealUnit([draft], signer, newSession(signer.id, ""))
        const placed = place(rows, new Map(), readHead(connection), occurredAt)
        insertRows(connection, placed)
        writeRows(connection, projections, placed.map(decode))
        connection.exec("UPDATE checkpoint SET position = 1")
      }),
    ),
  )

it("what an earlier version signed under no root holds as soon as its key is under one", async () => {
  const a = machine("a", undefined)
  await appendRootless(a)
  expect(await verify(a)).toMatchObject({ ok: false })
  await add(a, "alpha")
  expect(types(a.path)).toEqual(["ServerAdded", "RootEstablished", "ServerAdded"])
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], signed: 3, unsigned: 0 })
  await a.close()
})
