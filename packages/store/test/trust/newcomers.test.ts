/** Who comes to a log: at the same moment as another, to one with two roots, to the wrong one, or from another log. */
import { cpSync, rmSync } from "node:fs"
import { Sync, type SyncOptions } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { prepare } from "../../src/restore.js"
import { type Batch, make } from "../../src/sync/RemoteLog.js"
import { fingerprint } from "../../src/trust/keys.js"
import { withNoise } from "../support/audited.js"
import { invite as makeInvite } from "../support/enrolment.js"
import { freshPath } from "../support/files.js"
import { add, beginLog, eventsOf, give, heal, type Machine, machine, machines, rowsHash, servers, signerOf, status, sync, verify } from "../support/machines.js" // biome-ignore format: one line
import { makeSequencer } from "../support/sequencer.js"

const now = (of: Machine, options: SyncOptions = {}) => of.run(Effect.flatMap(Sync, (service) => service.now(options)))
const failure = (of: Machine, options: SyncOptions = {}) =>
  of.run(Effect.flatMap(Sync, (service) => Effect.flip(service.now(options))))
const invite = (of: Machine, uses = 1) =>
  of.run(
    Effect.flatMap(Database, (database) =>
      Effect.flatMap(
        database.read((c) => c),
        (c) => makeInvite(c, { uses }),
      ),
    ),
  )

/** A log that a machine of that name began, with a server on it, shared. */
const begun = async (name: string, batch: Batch, server: string) => {
  const root = machine(name, make("memory", batch))
  await beginLog(root)
  await add(root, server)
  await sync(root)
  return root
}

/** A log that a machine began and shares, and another that came to it by an invite. */
const withMember = async (batch: Batch) => {
  const a = await begun("a", batch, "alpha")
  const code = await invite(a)
  await sync(a)
  const b = machine("b", make("memory", batch))
  await now(b, { invite: code })
  return { a, b }
}

/** How a machine's log stands to others, by their keys: a newcomer calls itself by its host. */
const standings = async (of: Machine, others: ReadonlyArray<Machine>) => {
  const { machines: rows } = await machines(of, (service) => service.list)
  return others.map((other) => rows.find(({ machineId }) => machineId === signerOf(other).id)?.status)
}

it.each([2, 1, 0])("of two at the same moment both are heard; with an invite for %i", async (uses) => {
  const { batch } = makeSequencer()
  const a = await begun("a", batch, "alpha")
  const code = uses > 0 ? await invite(a, uses) : undefined
  await sync(a)
  const how = code === undefined ? {} : { invite: code }
  const first = machine("first", make("memory", batch))
  let raced = false
  const late: Batch = (statements, mode) => {
    if (mode === "read" || raced) return batch(statements, mode)
    raced = true
    // Before the request of the second arrives, the first has come.
    return Effect.zipRight(
      Effect.promise(() => now(first, how).catch(() => undefined)),
      batch(statements, mode),
    )
  }
  const second = machine("second", make("memory", late))
  if (uses === 2) expect(await now(second, how)).toMatchObject({ pending: 0 })
  else expect((await failure(second)).message).toContain("waits to be enrolled")
  expect(raced).toBe(true)
  await sync(a)
  const states = [1, 2].map((place) => (uses >= place ? "enrolled" : "waiting"))
  expect(await standings(a, [a, first, second])).toEqual(["enrolled", ...states])
  // Whoever waits there is connected, and goes on by itself once it is let in.
  expect((await status(second)).logId).not.toBeNull()
  for (const one of [a, first, second]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

/** A log whose keys were lost, and of which a machine began another root. */
const rerooted = async () => {
  const { batch } = makeSequencer()
  const a = await begun("a", batch, "alpha")
  await a.close()
  rmSync(`${a.path}.key`)
  const again = machine("again", make("memory", batch), { path: a.path })
  await machines(again, (service) => service.beginRoot(false))
  await sync(again)
  return { again, batch }
}

it("who comes to a log with two roots asks nobody before a person has said which is right", async () => {
  const { again, batch } = await rerooted()
  const before = eventsOf(again.path).length
  const newcomer = machine("new", make("memory", batch))
  const refused = await failure(newcomer)
  expect(refused).toMatchObject({ reason: "new-root", message: expect.stringContaining("more than one root") })
  expect(refused.message).toContain(`machine trust ${fingerprint(signerOf(again).publicKey)}`)
  await sync(again)
  expect(eventsOf(again.path).length).toBe(before)
  await machines(newcomer, (service) => service.trust(fingerprint(signerOf(again).publicKey)))
  expect((await failure(newcomer)).message).toContain("machine approve ")
  await sync(again)
  const { machines: rows } = await machines(again, (service) => service.list)
  const waiting = rows.find(({ status }) => status === "waiting")
  expect(waiting?.machineId).toBe(signerOf(newcomer).id)
  await machines(again, (service) => service.approve(waiting?.fingerprint ?? "", "member"))
  for (const one of [again, newcomer]) await sync(one)
  await add(newcomer, "beta")
  for (const one of [newcomer, again]) await sync(one)
  expect(rowsHash(newcomer.path)).toBe(rowsHash(again.path))
  for (const one of [again, newcomer]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("whoever went to a root by a person's word asks to be let in there, and is not asked about others", async () => {
  const { again, batch } = await rerooted()
  // Two more machines begin a root each, and a third goes to the first of them.
  const [second, b] = [machine("second", make("memory", batch)), machine("b", make("memory", batch))]
  for (const one of [again, second, b]) withNoise(one.path)
  for (const one of [second, b]) await failure(one)
  await machines(second, (service) => service.beginRoot(false))
  await sync(second)
  await failure(b)
  await machines(b, (service) => service.trust(fingerprint(signerOf(second).publicKey)))
  expect((await failure(b)).message).toContain("machine approve ")
  await sync(second)
  const { machines: rows } = await machines(second, (service) => service.list)
  expect(rows.find(({ status }) => status === "waiting")?.machineId).toBe(signerOf(b).id)
  for (const one of [again, second, b]) await one.close()
})

it("an invite says which root is right, and is asked no more", async () => {
  const { again, batch } = await rerooted()
  const code = await invite(again)
  await sync(again)
  const newcomer = machine("new", make("memory", batch))
  expect(await now(newcomer, { invite: code })).toMatchObject({ pending: 0 })
  for (const one of [again, newcomer]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("a file from before its machine began a root takes that root for its own", async () => {
  const { batch } = makeSequencer()
  const { b } = await withMember(batch)
  await b.close()
  const older = freshPath()
  for (const end of ["", ".key"]) cpSync(`${b.path}${end}`, `${older}${end}`)
  const later = machine("b", make("memory", batch), { path: b.path })
  await machines(later, (service) => service.beginRoot(false))
  await add(later, "beta")
  await sync(later)
  const restored = machine("b", make("memory", batch), { path: older })
  await sync(restored)
  expect(await status(restored)).toMatchObject({ roots: [], inert: 0, enrolment: "enrolled" })
  await add(restored, "gamma")
  for (const one of [restored, later]) await sync(one)
  expect(rowsHash(restored.path)).toBe(rowsHash(later.path))
  for (const one of [restored, later]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("who came to the wrong log with an invite has read nothing of it, and brings nothing of it to the right one", async () => {
  const [wrong, right] = [makeSequencer(), makeSequencer()]
  await begun("mallory", wrong.batch, "evil")
  const a = await begun("a", right.batch, "alpha")
  const code = await invite(a)
  await sync(a)
  const path = freshPath()
  const misled = machine("new", make("memory", wrong.batch), { path })
  expect(await failure(misled, { invite: code })).toMatchObject({ reason: "not-enrolled" })
  expect(await status(misled)).toMatchObject({ logId: null, confirmed: 0, loss: null })
  expect(eventsOf(path)).toEqual([])
  await misled.close()
  const newcomer = machine("new", make("memory", right.batch), { path })
  expect(await now(newcomer, { invite: code })).toMatchObject({ pending: 0 })
  await sync(a)
  expect(rowsHash(a.path)).toBe(rowsHash(path))
  for (const one of [a, newcomer]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("who only read a log brings nothing of it to another but its own work", async () => {
  const [read, right] = [makeSequencer(), makeSequencer()]
  await begun("mallory", read.batch, "evil")
  const a = await begun("a", right.batch, "alpha")
  const code = await invite(a)
  await sync(a)
  const path = freshPath()
  const reader = machine("new", make("memory", read.batch), { path })
  await failure(reader)
  await add(reader, "own")
  await reader.close()
  const newcomer = machine("new", make("memory", right.batch), { path })
  const join = newcomer.run(Effect.flatMap(Sync, (service) => service.join({ invite: code })))
  expect(await join).toMatchObject({ pending: 0 })
  await sync(a)
  const names = await give(a, (r) => r.servers.list())
  expect(JSON.stringify(names)).not.toContain("evil")
  expect(JSON.stringify(names)).toContain('"own"')
  expect(rowsHash(a.path)).toBe(rowsHash(path))
  for (const one of [a, newcomer]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("what a server lost of who came by an invite is given back with the rest", async () => {
  const sequencer = makeSequencer()
  const a = await begun("a", sequencer.batch, "alpha")
  const code = await invite(a, 2)
  await sync(a)
  const [b, c] = ["b", "c"].map((name) => machine(name, make("memory", sequencer.batch))) as [Machine, Machine]
  await now(b, { invite: code })
  await sync(a)
  await now(c, { invite: code })
  await add(c, "later")
  for (const one of [c, b]) await sync(one)
  sequencer.connection.exec("DROP TABLE events; DROP TABLE log")
  await add(a, "own")
  for (const one of [a, b, a, c, b]) await heal(one)
  await sync(a)
  expect(await standings(a, [a, b, c])).toEqual(["enrolled", "enrolled", "enrolled"])
  for (const one of [b, c]) expect(rowsHash(one.path)).toBe(rowsHash(a.path))
  for (const one of [a, b, c]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("a member begins a root where the admin's key is lost; an admin needs none", async () => {
  const { batch } = makeSequencer()
  const { a, b } = await withMember(batch)
  await expect(machines(a, (service) => service.beginRoot(false))).rejects.toThrow("is an admin of this log")
  expect(await machines(b, (service) => service.beginRoot(false))).toMatchObject({ root: true, status: "enrolled" })
  await sync(b)
  expect(await standings(b, [a, b])).toEqual([undefined, "enrolled"])
  expect(await verify(b)).toMatchObject({ ok: true, inert: 0 })
})

/** The same machine on its backup, as it was restored. */
const restored = async (of: Machine, batch: Batch) => {
  await of.close()
  const path = freshPath()
  const keyPath = `${path}.key`
  cpSync(`${of.path}.key`, keyPath)
  await Effect.runPromise(Effect.scoped(Effect.flatMap(prepare(of.path, path, { keyPath }), ({ place }) => place)))
  return machine(of.name, make("memory", batch), { path })
}

it("what a restored file holds is this machine's work, where it comes to a log with a history", async () => {
  const { batch } = makeSequencer()
  const a = await begun("a", batch, "alpha")
  const code = await invite(a)
  await sync(a)
  const alone = machine("alone", make("memory", batch))
  await beginLog(alone)
  await add(alone, "own")
  const back = await restored(alone, batch)
  expect(await back.run(Effect.flatMap(Sync, (service) => service.contact))).toMatchObject({ ours: 2 })
  await back.run(Effect.flatMap(Sync, (service) => service.join({ invite: code })))
  await sync(a)
  expect(JSON.stringify(await give(a, (r) => r.servers.list()))).toContain('"own"')
  expect(rowsHash(back.path)).toBe(rowsHash(a.path))
  for (const one of [a, back]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("what a restored file holds is this machine's work, where its log was begun anew on another server", async () => {
  const [lost, fresh] = [makeSequencer(), makeSequencer()]
  const { a, b } = await withMember(lost.batch)
  await sync(a)
  await add(b, "own")
  await a.run(Effect.flatMap(Sync, (service) => service.disconnect))
  await a.close()
  const again = machine("a", make("memory", fresh.batch), { path: a.path })
  await sync(again)
  const back = await restored(b, fresh.batch)
  await back.run(Effect.flatMap(Sync, (service) => service.join()))
  await sync(again)
  expect(JSON.stringify(await give(again, (r) => r.servers.list()))).toContain('"own"')
  expect(rowsHash(back.path)).toBe(rowsHash(again.path))
  // What both had kept its time, so that what one exports is what the other does.
  expect(eventsOf(back.path)).toEqual(eventsOf(again.path))
  for (const one of [again, back]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("a request that only a lost server had is made again, before the work that waits", async () => {
  const [lost, fresh] = [makeSequencer(), makeSequencer()]
  const { a, b } = await withMember(lost.batch)
  await machines(b, (service) => service.beginRoot(false))
  await sync(b)
  await add(a, "own")
  await sync(a).catch(() => undefined)
  await machines(a, (service) => service.trust(fingerprint(signerOf(b).publicKey)))
  expect((await failure(a)).message).toContain("waits to be enrolled")
  await a.close()
  await b.close()
  const [root, other] = [b, a].map(({ name, path }) => machine(name, make("memory", fresh.batch), { path })) as [
    Machine,
    Machine,
  ]
  await heal(root)
  await other.run(Effect.flatMap(Sync, (service) => Effect.either(service.heal())))
  expect((await failure(other)).message).toContain("waits to be enrolled")
  await sync(root)
  expect(await standings(root, [root, other])).toEqual(["enrolled", "waiting"])
  await machines(root, (service) => service.approve(fingerprint(signerOf(other).publicKey), "member"))
  for (const one of [root, other, root]) await sync(one)
  expect(JSON.stringify(await give(root, (r) => r.servers.list()))).toContain('"own"')
  expect(rowsHash(other.path)).toBe(rowsHash(root.path))
  // Nobody else has its key.
  expect(await status(other)).toMatchObject({ clonedAt: null, enrolment: "enrolled" })
  for (const one of [root, other]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("work under a root that waits for a word is told as that, and who was revoked before it stays so", async () => {
  const { batch } = makeSequencer()
  const a = await begun("a", batch, "alpha")
  const code = await invite(a, 3)
  await sync(a)
  const [b, c, stolen] = ["b", "c", "stolen"].map((name) => machine(name, make("memory", batch))) as [
    Machine,
    Machine,
    Machine,
  ]
  for (const one of [b, c, stolen]) await now(one, { invite: code })
  await sync(a)
  await machines(a, (service) => service.revoke(fingerprint(signerOf(stolen).publicKey)))
  for (const one of [a, b]) await sync(one)
  await machines(b, (service) => service.beginRoot(false))
  await add(b, "later")
  await sync(b)
  await sync(c)
  const reasons = (await status(c)).inertEvents.map(({ reason }) => reason)
  expect(reasons).toHaveLength(2)
  expect(reasons[0]).toBe("no person on this machine has accepted this root")
  expect(reasons[1]).toMatch(
    /^it was signed under the root at position \d+, and no person on this machine has accepted this root$/,
  )
  // An admin under the root before says which is right, and does not wave the other through.
  await sync(a)
  await expect(machines(a, (service) => service.acknowledge(false))).rejects.toThrow("began another root of this log")
  expect((await status(a)).roots).toHaveLength(1)
  expect(await machines(a, (service) => service.acknowledge(true))).toBe(2)
  expect((await status(a)).roots).toEqual([])
  expect(await standings(b, [b, stolen, c])).toEqual(["enrolled", "revoked", undefined])
  await failure(stolen)
  await machines(stolen, (service) => service.trust(fingerprint(signerOf(b).publicKey)))
  await failure(stolen)
  await sync(b)
  expect(await standings(b, [stolen])).toEqual(["revoked"])
  await machines(c, (service) => service.trust(fingerprint(signerOf(b).publicKey)))
  expect((await status(c)).inert).toBe(0)
  for (const one of [b, c]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
})

it("an invite that is refused takes nothing with it of what another process writes meanwhile", async () => {
  const { batch } = makeSequencer()
  const a = await begun("a", batch, "alpha")
  const path = freshPath()
  const other = machine("new", undefined, { path })
  let asked = 0
  const slow: typeof batch = (statements, mode) =>
    Effect.zipRight(
      Effect.promise(async () => {
        asked += 1
        if (asked === 2) await add(other, "meanwhile")
      }),
      batch(statements, mode),
    )
  const newcomer = machine("new", make("memory", slow), { path })
  const used = await invite(a)
  await machines(a, (service) => Effect.flatMap(service.list, ({ invites }) => service.withdraw(invites[0]?.inviteId ?? ""))) // biome-ignore format: one line
  await sync(a)
  expect((await newcomer.run(Effect.flatMap(Sync, (s) => Effect.flip(s.now({ invite: used }))))).message).toContain("withdrawn") // biome-ignore format: one line
  expect(asked).toBe(2)
  expect((await servers(newcomer)).includes("meanwhile")).toBe(true)
  for (const one of [a, other, newcomer]) await one.close()
})
