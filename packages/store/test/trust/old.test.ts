/** Logs of the version before: nobody had said who may write. */

import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { loadSigner } from "../../src/Signer.js"
import { make } from "../../src/sync/RemoteLog.js"
import { acceptRoot } from "../../src/trust/decided.js"
import { establish } from "../support/enrolment.js"
import { freshPath } from "../support/files.js"
import { eventsOf, failure, give, machine, rowsHash, signerOf, status, sync, verify } from "../support/machines.js"
import { oldRows, writeOldFile, writeOldShared } from "../support/oldLog.js"
import { makeSequencer } from "../support/sequencer.js"

/** A machine whose file is of the version before, with the events of its key, and of others where they are given. */
const old = (name: string, remote?: Parameters<typeof machine>[1]) => {
  const path = freshPath()
  const signer = { ...loadSigner(`${path}.key`), name }
  return { path, signer, open: () => machine(name, remote, { path }) }
}

it("a file opens, holds, and gets its root with the first thing that is written", async () => {
  const { open, path, signer } = old("a")
  writeOldFile(path, oldRows([signer], ["alpha"]))
  const a = open()
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], signed: 2, root: null })
  const before = eventsOf(path).map((row) => row.slice(0, 12))
  await give(a, (r) => r.servers.add({ name: "beta" }))
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], signed: 4, unsigned: 0, inert: 0 })
  const rows = eventsOf(path)
  expect(rows.map((row) => row[4])).toEqual(["MachineJoined", "ServerAdded", "RootEstablished", "ServerAdded"])
  expect(rows.slice(0, 2).map((row) => row.slice(0, 12))).toEqual(before)
  expect(JSON.parse(rows[2]?.[6] ?? "").cutoff).toEqual({ position: 2, hash: rows[1]?.[10] })
  await a.close()
})

it("a file that nothing signed goes on as it is, and says so", async () => {
  const path = freshPath()
  writeOldFile(path, oldRows([undefined], ["alpha"]))
  const a = machine("a", undefined, { path, signed: false })
  await give(a, (r) => r.servers.add({ name: "beta" }))
  expect(await verify(a)).toMatchObject({ ok: true, findings: [], signed: 0, unsigned: 2, root: null })
  await a.close()
})

it("a shared log is read by all, and pushed to once a person has begun its root; others accept it or are enrolled beside it", async () => {
  const sequencer = makeSequencer()
  const remote = make("memory", sequencer.batch)
  const [one, two] = [old("a", remote), old("b", remote)]
  const rows = oldRows([one.signer, two.signer], ["alpha", "beta"])
  writeOldShared(sequencer.connection, "old", rows)
  for (const { path } of [one, two]) writeOldFile(path, rows)
  const [a, b] = [one.open(), two.open()]
  for (const each of [a, b]) expect(await failure(each)).toMatchObject({ reason: "no-root" })
  await give(a, (r) => r.servers.add({ name: "gamma" }))
  expect(await failure(a)).toMatchObject({ reason: "no-root" })
  expect(await status(a)).toMatchObject({ enrolment: "no-root", pending: 1, confirmed: 4, inert: 0 })
  expect(sequencer.connection.prepare("SELECT count(*) FROM events").get()[0]).toBe(4)
  // A person says who is the root, and that the other machine is right.
  await a.run(Effect.flatMap(Database, (database) => database.write((c) => establish(c, signerOf(a), [signerOf(b)]))))
  expect(await status(a)).toMatchObject({ enrolment: "enrolled", lastError: null })
  expect(await sync(a)).toMatchObject({ pending: 0 })
  // To the other machine it is a root like any other, until a person there has said that it is the right one.
  expect(await failure(b)).toMatchObject({ reason: "new-root" })
  expect(await status(b)).toMatchObject({ lastError: { reason: "new-root" } })
  const root = eventsOf(a.path).find((row) => row[4] === "RootEstablished")
  await b.run(
    Effect.flatMap(Database, (database) =>
      database.write((c) => acceptRoot(c, { eventId: root?.[1] ?? "", publicKey: signerOf(a).publicKey })),
    ),
  )
  expect((await status(b)).lastError).toBe(null)
  await give(b, (r) => r.servers.add({ name: "delta" }))
  await sync(b)
  await sync(a)
  for (const each of [a, b]) {
    expect(await verify(each)).toMatchObject({ ok: true, findings: [], inert: 0 })
    expect(await status(each)).toMatchObject({ enrolment: "enrolled", pending: 0, breaks: [] })
  }
  expect(eventsOf(b.path)).toEqual(eventsOf(a.path))
  expect(rowsHash(b.path)).toBe(rowsHash(a.path))
  for (const each of [a, b]) await each.close()
})
