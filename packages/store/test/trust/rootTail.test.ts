/** A root that others' events came before on the way to the shared log: it is put after them, and nothing of it is lost. */
import { rmSync } from "node:fs"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Machines } from "@context-engine/core/services/Machines"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import * as SqlMachines from "../../src/SqlMachines.js"
import { remoteLog } from "../../src/sync/http.js"
import { make } from "../../src/sync/RemoteLog.js"
import { fingerprint } from "../../src/trust/keys.js"
import { withNoise } from "../support/audited.js"
import {
  beginLog,
  eventsOf,
  give,
  type Machine,
  machine,
  rowsHash,
  signerOf,
  status,
  sync,
  verify,
} from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"
import { startSqld } from "../support/sqld.js"

const add = (of: Machine, name: string) => give(of, (r) => r.servers.add({ name }))
const machines = <A, E>(of: Machine, use: (service: Machines["Type"]) => Effect.Effect<A, E, never>) =>
  of.run(Effect.flatMap(Machines, use).pipe(Effect.provide(SqlMachines.layer({ keyPath: `${of.path}.key` }))))
const members = (of: Machine) => machines(of, (s) => Effect.map(s.list, (found) => found.machines))
const rootOf = async (of: Machine) => (await members(of)).find(({ root }) => root)?.machineId
const trust = (of: Machine, root: Machine) =>
  machines(of, (service) => service.trust(fingerprint(signerOf(root).publicKey)))
const heal = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => service.heal()))
const servers = (of: Machine) =>
  of.run(Effect.flatMap(ReadModels, (models) => Effect.map(models.servers.list(), (rows) => rows.map(({ name }) => name).sort()))) // biome-ignore format: one line

/** The machine goes on with another key: the one that it had is lost. */
const withNewKey = async (old: Machine, remote: Parameters<typeof machine>[1]): Promise<Machine> => {
  await old.close()
  rmSync(`${old.path}.key`)
  return machine(old.name, remote, { path: old.path })
}

it("a root that others were faster than stands after what they wrote", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [first, b] = [machine("a", remote), machine("b", remote)]
  await beginLog(first, b)
  await add(first, "alpha")
  for (const one of [first, b]) await sync(one)
  const a = await withNewKey(first, remote)
  await machines(a, (service) => service.beginRoot(true))
  await add(a, "gamma")
  await add(b, "beta")
  await sync(b)
  await sync(a)
  expect(await rootOf(a)).toBe(signerOf(a).id)
  expect(await servers(a)).toEqual(["alpha", "beta", "gamma"])
  withNoise(b.path)
  await sync(b)
  await trust(b, a)
  await add(b, "delta")
  for (const one of [b, a]) await sync(one)
  expect(await servers(a)).toEqual(["alpha", "beta", "delta", "gamma"])
  expect(eventsOf(b.path)).toEqual(eventsOf(a.path))
  expect(await verify(a)).toMatchObject({ findings: [] })
  for (const one of [a, b]) await one.close()
})

/**
 * `a` had the root; `b` lost a's key to a thief and began another one, and `c` came to it. Then the server was put back to before
 * that, and somebody wrote on it under the first root.
 */
const wentOn = async () => {
  const sqld = await startSqld()
  const shared = (name: string) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() }))
  const [a, b, c] = ["a", "b", "c"].map(shared) as [Machine, Machine, Machine]
  await beginLog(a, b, c)
  for (const one of [a, b, c]) withNoise(one.path)
  await add(a, "alpha")
  for (const one of [a, b, c]) await sync(one)
  await sqld.kill()
  sqld.save("older")
  await sqld.start()
  await add(b, "before")
  await machines(b, (service) => service.beginRoot(true))
  await sync(b)
  await sync(c)
  await trust(c, b)
  await add(c, "after")
  for (const one of [c, b]) await sync(one)
  await sqld.kill()
  sqld.restore("older")
  await sqld.start()
  await add(a, "stolen")
  await sync(a)
  return { a, b, c, sqld }
}

it("heal puts a root of this machine, and what is under it, after what a server that was put back has instead", {
  timeout: 60_000,
}, async () => {
  const { a, b, c } = await wentOn()
  await heal(b)
  expect(await rootOf(b)).toBe(signerOf(b).id)
  await heal(c)
  for (const one of [b, c, b]) await sync(one)
  for (const one of [b, c]) {
    expect(await rootOf(one)).toBe(signerOf(b).id)
    expect(await servers(one)).toEqual(["after", "alpha", "before", "stolen"])
    expect(await status(one)).toMatchObject({
      pending: 0,
      roots: [],
      rejected: 0,
      inert: 0,
      breaks: [],
      lastError: null,
    })
  }
  expect(eventsOf(c.path)).toEqual(eventsOf(b.path))
  expect(rowsHash(c.path)).toBe(rowsHash(b.path))
  for (const one of [b, c]) expect(await verify(one)).toMatchObject({ findings: [] })
  // Who is not of this root decides nothing any more, whatever it still believes.
  await machines(a, (service) => service.revoke("c"))
  await sync(a)
  await sync(b)
  expect((await members(b)).find(({ name }) => name === "c")).toMatchObject({ status: "enrolled" })
  for (const one of [a, b, c]) await one.close()
})

it("heal on another machine leaves a root where it is until the machine that began it has put it in its place", {
  timeout: 60_000,
}, async () => {
  const { a, b, c, sqld } = await wentOn()
  const before = eventsOf(c.path)
  const failed = await c.run(Effect.flatMap(Sync, (service) => Effect.flip(service.heal())))
  expect(failed).toMatchObject({
    reason: "damaged",
    message: expect.stringContaining("context infra sync heal there comes first"),
  })
  expect(eventsOf(c.path)).toEqual(before)
  expect((await status(c)).lastError?.next).toContain("context infra sync heal on the other machines first")
  expect(await rootOf(c)).toBe(signerOf(b).id)
  // Where that machine is no more: an empty database, and all is as it was.
  await sqld.kill()
  sqld.restore(undefined)
  await sqld.start()
  await heal(c)
  expect(await status(c)).toMatchObject({ pending: 0, lastError: null })
  expect(eventsOf(c.path).map(([, id]) => id)).toEqual(before.map(([, id]) => id))
  for (const one of [a, b, c]) await one.close()
})
