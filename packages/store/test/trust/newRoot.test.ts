/** A log whose keys were lost, and what the other machines wrote before their persons said that the new root is the right one. */
import { rmSync } from "node:fs"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { fingerprint } from "../../src/trust/keys.js"
import { withNoise } from "../support/audited.js"
import { enrol } from "../support/enrolment.js"
import { serverAdded, uuid } from "../support/events.js"
import {
  add,
  approve,
  beginLog,
  eventsOf,
  failure,
  type Machine,
  machine,
  machines,
  rowsHash,
  servers,
  signerOf,
  status,
  sync,
  trust,
  verify,
} from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

const added = (name: string) => ({ stream: `server-${uuid()}`, expected: "any" as const, events: [serverAdded(name)] })

/** Two machines of one log; the first lost its key, and begins another root, which the second has pulled and not accepted. */
const lost = async (keep: boolean) => {
  const remote = make("memory", makeSequencer().batch)
  const [first, b] = [machine("a", remote), machine("b", remote)]
  await beginLog(first, b)
  await add(first, "alpha")
  for (const one of [first, b]) await sync(one)
  await first.close()
  rmSync(`${first.path}.key`)
  const a = machine("a", remote, { path: first.path })
  for (const one of [a, b]) withNoise(one.path)
  await machines(a, (service) => service.beginRoot(keep))
  await sync(a)
  await sync(b)
  return { a, b }
}

const alike = async (a: Machine, b: Machine) => {
  for (const one of [b, a, b]) await sync(one)
  expect(eventsOf(b.path)).toEqual(eventsOf(a.path))
  expect(rowsHash(b.path)).toBe(rowsHash(a.path))
}

it("while a root is not accepted, this machine says which one waits for a word, and goes on", async () => {
  const { a, b } = await lost(true)
  await add(b, "beta")
  expect(await sync(b)).toMatchObject({ pushed: 1, pending: 0 })
  const roots = [
    { name: expect.any(String), fingerprint: fingerprint(signerOf(a).publicKey), position: expect.any(Number) },
  ]
  expect(await status(b)).toMatchObject({ roots })
  expect(await status(a)).toMatchObject({ roots: [] })
  for (const one of [a, b]) await one.close()
})

it("what was written before a root was accepted is written anew under it, whole units too, and told as what it was", async () => {
  const { a, b } = await lost(true)
  await add(b, "beta")
  await b.run(Effect.flatMap(EventLog, (log) => log.append(["gamma", "delta"].map(added))))
  await sync(b)
  await sync(a)
  expect(await servers(a)).toEqual(["alpha"])
  await trust(b, a)
  expect(await servers(b)).toEqual(["alpha", "beta", "delta", "gamma"])
  await alike(a, b)
  expect(await servers(a)).toEqual(["alpha", "beta", "delta", "gamma"])
  for (const one of [a, b]) {
    const { inertEvents, rejected, roots } = await status(one)
    expect(inertEvents.map(({ reason }) => reason)).toContain("b signed it under the root before this one")
    expect(inertEvents.every(({ reason }) => reason === "b signed it under the root before this one")).toBe(true)
    expect([rejected, roots]).toEqual([0, []])
    expect((await verify(one)).findings.every(({ kind }) => kind === "inert")).toBe(true)
  }
  for (const one of [a, b]) await one.close()
})

it("a machine that is not enrolled under the new root waits with that work, and it arrives when it is", async () => {
  const { a, b } = await lost(false)
  await add(b, "beta")
  await sync(b)
  await trust(b, a)
  expect(await failure(b)).toMatchObject({ reason: "not-enrolled" })
  expect(await status(b)).toMatchObject({ enrolment: "waiting", pending: 1 })
  expect(await verify(b)).toMatchObject({ unsigned: 0, withheld: [{ own: true, events: 1, because: "waiting" }] })
  await sync(a)
  expect(await servers(a)).toEqual(["alpha"])
  expect(await approve(a)).toBe(1)
  await sync(a)
  await alike(a, b)
  expect(await servers(a)).toEqual(["alpha", "beta"])
  for (const one of [a, b]) await one.close()
})

it("what went wrong before a decision is forgotten once that has settled it", async () => {
  const { a, b } = await lost(false)
  await trust(b, a)
  expect(await failure(b)).toMatchObject({ reason: "not-enrolled" })
  expect((await status(b)).lastError).toMatchObject({
    reason: "not-enrolled",
    next: expect.stringContaining("context infra machine approve"),
  })
  await machines(b, (service) => service.beginRoot(true))
  expect(await status(b)).toMatchObject({ enrolment: "enrolled", lastError: null })
  for (const one of [a, b]) await one.close()
})

it("what could not stand any more is in the list of what was refused", async () => {
  const { a, b } = await lost(true)
  await add(b, "beta")
  await sync(b)
  await sync(a)
  await add(a, "beta")
  await sync(a)
  await sync(b)
  await trust(b, a)
  await alike(a, b)
  for (const one of [a, b]) {
    expect(await status(one)).toMatchObject({ rejected: 1 })
    const [row] = await one.run(Effect.flatMap(ReadModels, (models) => models.rejections.list()))
    expect(row).toMatchObject({ what: expect.stringContaining("beta"), status: "open" })
  }
  for (const one of [a, b]) await one.close()
})

it("a root that was begun by mistake is gone back from, and the work under it arrives where the machine is let in", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b] = [machine("a", remote), machine("b", remote)]
  await beginLog(a, b)
  for (const one of [a, b]) withNoise(one.path)
  await add(a, "alpha")
  for (const one of [a, b]) await sync(one)
  await machines(b, (service) => service.beginRoot(false))
  await add(b, "beta")
  await sync(b)
  await sync(a)
  await machines(a, (service) => service.acknowledge(true))
  await sync(a)
  const listed = await machines(a, (service) => service.list)
  expect(listed.pendingRoots).toEqual([])
  expect(listed.otherRoots).toMatchObject([{ fingerprint: fingerprint(signerOf(b).publicKey) }])
  await sync(b)
  const { otherRoots } = await machines(b, (service) => service.list)
  expect(otherRoots).toMatchObject([{ fingerprint: fingerprint(signerOf(a).publicKey), position: 1 }])
  await trust(b, a)
  const after = await machines(b, (service) => service.list)
  expect(after.machines.find((one) => one.root)).toMatchObject({ machineId: signerOf(a).id })
  await alike(a, b)
  expect(await servers(a)).toEqual(["alpha", "beta"])
  for (const one of [a, b]) {
    expect(await status(one)).toMatchObject({
      pending: 0,
      roots: [],
      rejected: 0,
      enrolment: "enrolled",
      lastError: null,
    })
    expect((await verify(one)).findings.every(({ kind }) => kind === "inert")).toBe(true)
  }
  // It stays so, whatever comes.
  await add(b, "gamma")
  await alike(a, b)
  expect(await servers(a)).toEqual(["alpha", "beta", "gamma"])
  for (const one of [a, b]) await one.close()
})

it("a root that was begun by mistake and not shared yet is gone back from, too", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b] = [machine("a", remote), machine("b", remote)]
  await beginLog(a, b)
  for (const one of [a, b]) await sync(one)
  await add(b, "alpha")
  await machines(b, (service) => service.beginRoot(true))
  await add(b, "beta")
  await trust(b, a)
  await alike(a, b)
  expect(await servers(a)).toEqual(["alpha", "beta"])
  expect(eventsOf(a.path).filter((row) => row[4] === "RootEstablished")).toHaveLength(1)
  for (const one of [a, b]) expect(await status(one)).toMatchObject({ pending: 0, roots: [], inert: 0, rejected: 0 })
  for (const one of [a, b]) await one.close()
})

it("the root that counts is not left by naming it again; one before it by the same key is, by its place", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [owner, thief, c] = ["owner", "thief", "c"].map((name) => machine(name, remote)) as [Machine, Machine, Machine]
  await beginLog(owner, thief, c)
  await owner.run(enrol(signerOf(thief), "admin"))
  for (const one of [owner, thief, c]) {
    withNoise(one.path)
    await sync(one)
  }
  // Who stole an admin's laptop revokes the owner, who begins anew with the key that it has.
  await machines(thief, (service) => service.revoke(signerOf(owner).id))
  await sync(thief)
  await failure(owner)
  await machines(owner, (service) => service.beginRoot(false))
  for (const one of [owner, c]) await sync(one)
  await trust(c, owner)
  const rights = async () =>
    (await machines(c, (service) => service.list)).machines.map(({ name, status }) => `${name} ${status}`).sort()
  const own = await rights()
  expect(own).toContain("owner enrolled")
  await expect(trust(c, owner)).rejects.toThrow(/owner is the root of the log here already; .*--position 1/)
  expect(await rights()).toEqual(own)
  const print = fingerprint(signerOf(owner).publicKey)
  await machines(c, (service) => service.trust(print, 1))
  expect(await rights()).toEqual(["c enrolled", "owner revoked", "thief enrolled"])
  await trust(c, owner)
  expect(await rights()).toEqual(own)
})

it("one word is enough to go to another machine's root where a later one was begun here", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b, c] = ["a", "b", "c"].map((name) => machine(name, remote)) as [Machine, Machine, Machine]
  await beginLog(a, b, c)
  for (const one of [a, b, c]) {
    withNoise(one.path)
    await sync(one)
  }
  for (const one of [b, c]) await machines(one, (service) => service.beginRoot(true))
  for (const one of [b, c, b]) await sync(one)
  await trust(c, b)
  expect((await machines(c, (service) => service.list)).machines.find(({ root }) => root)?.name).toBe("b")
  // Nor is the person asked again about the one that was left.
  expect((await status(c)).roots).toEqual([])
  await failure(c).catch(() => undefined)
  await sync(b)
  await approve(b)
  for (const one of [b, c]) await sync(one)
  await add(c, "from-c")
  for (const one of [c, b]) await sync(one)
  expect(await servers(b)).toContain("from-c")
  await alike(b, c)
})

it("a decision that waits is told as refused where a person goes to another root, and not forgotten", async () => {
  const remote = make("memory", makeSequencer().batch)
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => machine(name, remote)) as [Machine, Machine, Machine, Machine]
  await beginLog(a, b, c, d)
  await a.run(enrol(signerOf(c), "admin"))
  for (const one of [a, b, c, d]) {
    withNoise(one.path)
    await sync(one)
  }
  await machines(b, (service) => service.beginRoot(true))
  for (const one of [b, c]) await sync(one)
  await machines(c, (service) => service.revoke(signerOf(d).id))
  await add(c, "cwork")
  await trust(c, b)
  const told = await c.run(Effect.flatMap(Sync, (service) => service.rejected))
  expect(told).toMatchObject([{ status: "open", what: expect.stringContaining("revoked"), reason: expect.stringContaining("another root") }]) // biome-ignore format: one line
  await failure(c).catch(() => undefined)
  await sync(b)
  await approve(b)
  for (const one of [b, c]) await sync(one)
  expect(await servers(c)).toEqual(["cwork"])
  await alike(b, c)
})
