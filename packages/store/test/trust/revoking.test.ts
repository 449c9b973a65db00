/** Machines from which the right to write is taken: also one that does it to itself, or that others let in at the same moment. */
import { rmSync } from "node:fs"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { make } from "../../src/sync/RemoteLog.js"
import { enrol, invite } from "../support/enrolment.js"
import {
  add,
  beginLog,
  eventsOf,
  failure,
  give,
  type Machine,
  machine,
  machines,
  rejected,
  servers,
  signerOf,
  status,
  sync,
  verify,
  withNewKey,
} from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

it("an admin that revokes itself is revoked for everybody; what it writes after that waits", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b] = [machine("a", remote), machine("b", remote)]
  await beginLog(a, b)
  await a.run(enrol(signerOf(b), "admin"))
  for (const one of [a, b]) await sync(one)
  await add(b, "other")
  await sync(b)
  await add(a, "before")
  await machines(a, (service) => service.revoke(signerOf(a).id))
  await add(a, "after")
  expect(await failure(a)).toMatchObject({ reason: "not-enrolled", message: expect.stringContaining("was revoked") })
  expect(await status(a)).toMatchObject({ enrolment: "revoked", pending: 1 })
  await sync(b)
  const { machines: known } = await machines(b, (service) => service.list)
  expect(known).toContainEqual(expect.objectContaining({ machineId: signerOf(a).id, status: "revoked" }))
  for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  for (const one of [a, b]) await one.close()
})

it("the last admin cannot be revoked, and it is said what makes another one first", async () => {
  const a = machine("a", undefined)
  const b = machine("b", undefined)
  await beginLog(a, b)
  const refused = await machines(a, (service) => Effect.flip(service.revoke(signerOf(a).id)))
  expect(refused.message).toContain("the last admin machine")
  expect(refused.message).toContain("--admin")
  expect((await machines(a, (service) => service.list)).machines.every((one) => one.status === "enrolled")).toBe(true)
  for (const one of [a, b]) await one.close()
})

const members = (of: Machine) => machines(of, (service) => Effect.map(service.list, (found) => found.machines))

it.each(["let in by an admin that does not know of it", "made an admin by one that does not know of it"] as const)(
  "a machine that is revoked stays so where it is %s, whoever is first",
  async (how) => {
    for (const order of ["revoked first", "revoked last"] as const) {
      const remote = make("memory", makeSequencer().batch)
      const [a, b, c] = ["a", "b", "c"].map((name) => machine(name, remote)) as [Machine, Machine, Machine]
      await beginLog(a, b)
      await a.run(enrol(signerOf(b), "admin"))
      for (const one of [a, b]) await sync(one)
      await sync(c).catch(() => undefined)
      if (how.startsWith("made")) await a.run(enrol(signerOf(c)))
      for (const one of [a, b, c, a, b]) await sync(one).catch(() => undefined)
      await machines(a, (service) => service.revoke(signerOf(c).id))
      await b.run(enrol(signerOf(c), how.startsWith("made") ? "admin" : "member"))
      for (const one of order === "revoked first" ? [a, b, a] : [b, a, b]) await sync(one)
      for (const one of [a, b])
        expect(await members(one)).toContainEqual(
          expect.objectContaining({ machineId: signerOf(c).id, status: "revoked" }),
        )
      const told = order === "revoked first" ? [expect.objectContaining({ reason: expect.stringMatching(/was revoked meanwhile/) })] : [] // biome-ignore format: one choice
      for (const one of [a, b]) expect(await rejected(one)).toEqual(told)
      for (const { id } of await rejected(b)) {
        // Given again it would be decided without looking at what happened meanwhile.
        const retry = await b.run(Effect.flatMap(Sync, (service) => Effect.flip(service.retry(id))))
        expect(retry.message).toContain("decide it anew")
        await b.run(Effect.flatMap(Sync, (service) => service.drop(id)))
      }
      // Whoever knows of it may let it in again.
      await b.run(enrol(signerOf(c)))
      await give(b, (r) => r.servers.add({ name: "waiting" }))
      await give(a, (r) => r.servers.add({ name: "first" }))
      for (const one of [a, b, a]) await sync(one)
      expect(await members(a)).toContainEqual(
        expect.objectContaining({ machineId: signerOf(c).id, status: "enrolled" }),
      )
      expect(await verify(a)).toMatchObject({ ok: true, findings: [] })
      for (const one of [a, b, c]) await one.close()
    }
  },
)

it("what waits under a key that was revoked is told as refused under a new one, and can be given again", async () => {
  for (const invited of [true, false]) {
    const remote = make("memory", makeSequencer().batch)
    const [a, before] = [machine("a", remote), machine("b", remote)]
    await beginLog(a, before)
    for (const one of [a, before]) await sync(one)
    await machines(a, (service) => service.revoke(signerOf(before).id))
    await sync(a)
    await add(before, "waiting")
    expect(await failure(before)).toMatchObject({ message: expect.stringContaining("machine approve b") })
    await before.close()
    rmSync(`${before.path}.key`)
    const b = machine("b", remote, { path: before.path })
    const code = await a.run(Effect.flatMap(Database, (file) => Effect.flatMap(file.read((c) => c), (c) => invite(c)))) // biome-ignore format: one line
    await sync(a)
    if (invited) await b.run(Effect.flatMap(Sync, (service) => service.now({ invite: code })))
    else {
      await failure(b)
      await sync(a)
      await a.run(enrol(signerOf(b)))
      for (const one of [a, b]) await sync(one)
    }
    await sync(a)
    expect(await servers(b)).toEqual([])
    const [refused] = await rejected(b)
    expect(refused).toMatchObject({ what: expect.stringContaining("waiting"), reason: expect.stringContaining("key of b, which is revoked") }) // biome-ignore format: one line
    await b.run(Effect.flatMap(Sync, (service) => service.retry(refused?.id ?? "")))
    for (const one of [b, a]) await sync(one)
    for (const one of [a, b]) expect(await servers(one)).toEqual(["waiting"])
    expect(eventsOf(b.path)).toEqual(eventsOf(a.path))
    for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    for (const one of [a, b]) await one.close()
  }
})

it("what was refused is given again once: the second time, on another machine, there is nothing left to do", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b, c] = ["a", "b", "c"].map((name) => machine(name, remote)) as [Machine, Machine, Machine]
  await beginLog(a, b, c)
  for (const one of [a, b, c]) await sync(one)
  for (const one of [a, b]) await add(one, "same")
  await give(b, (r) => r.services.add({ name: "api", server: "same", type: "app" }))
  for (const one of [a, b]) await sync(one)
  await give(a, (r) => r.servers.rename("same", "other"))
  for (const one of [a, b, c]) await sync(one)
  const [service, server] = await rejected(b)
  for (const one of [b, c])
    for (const id of [server, service].map((row) => row?.id ?? ""))
      await one.run(Effect.flatMap(Sync, (found) => found.retry(id)))
  await sync(b)
  await give(b, (r) => r.servers.update("same", { notes: "later" }))
  for (const one of [b, c, a, b]) await sync(one)
  for (const one of [a, b, c]) {
    const rows = await one.run(Effect.flatMap(ReadModels, (models) => models.servers.list()))
    expect(rows.map(({ name, notes }) => [name, notes]).sort()).toEqual([["other", null], ["same", "later"]]) // biome-ignore format: one line
    const told = await rejected(one)
    expect(told.map(({ reason, status }) => [status, reason]).sort()).toEqual([
      ["moot", "it was given again already"],
      ["moot", "it was given again already"],
      ["retried", expect.any(String)],
      ["retried", expect.any(String)],
    ])
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    await one.close()
  }
})

it("what is told as refused is in the report of the exchange that told it: also where a new key is let in at once", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b] = [machine("a", remote), machine("b", remote)]
  await beginLog(a, b)
  for (const one of [a, b]) await sync(one)
  await add(b, "mine")
  await machines(a, (service) => service.revoke(signerOf(b).id))
  const { code } = await machines(a, (service) =>
    service.invite({ role: "member", uses: 1, expiresAt: "2999-01-01T00:00:00.000Z" }),
  )
  await sync(a)
  await failure(b)
  const anew = await withNewKey(b, remote)
  const heard: Array<string> = []
  const onRejected = ({ what }: { readonly what: string }) => Effect.sync(() => void heard.push(what))
  const report = await anew.run(Effect.flatMap(Sync, (service) => service.now({ invite: code, onRejected })))
  const told = (await rejected(anew)).filter((one) => one.status === "open").map(({ id }) => id)
  expect(told).toHaveLength(1)
  expect(report.rejected).toMatchObject([{ id: told[0], outcome: "refused" }])
  expect(heard).toEqual([expect.stringContaining("mine")])
  for (const one of [a, anew]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  for (const one of [a, anew]) await one.close()
})
