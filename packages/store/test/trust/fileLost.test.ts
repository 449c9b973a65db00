/**
 * The admin's laptop is stolen, another machine begins a new root, and a third one's person says that this is the right one. Then that
 * third machine loses its file. Its key and what it remembers are left: its person's word still counts.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Audit } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { fingerprint } from "../../src/trust/keys.js"
import { damaged, withNoise } from "../support/audited.js"
import { freshPath } from "../support/files.js"
import { add, attempt, beginLog, eventsOf, type Machine, machine, machines, servers, signerOf, status, sync, trust, verify } from "../support/machines.js" // biome-ignore format: one line
import { makeSequencer } from "../support/sequencer.js"

/** The laptop goes on in the thief's hands; the server's person has accepted the phone's root, and the server remembers. */
const begun = async ({ trusts = true } = {}) => {
  const remote = make("memory", makeSequencer().batch)
  const path = freshPath()
  const memory = { directory: mkdtempSync(join(dirname(path), "logs-")) }
  const [laptop, phone] = [machine("laptop", remote), machine("phone", remote)]
  const open = () => machine("server", remote, { path, memory })
  const server = open()
  await beginLog(laptop, phone, server)
  await add(laptop, "alpha")
  for (const one of [laptop, phone, server]) withNoise(one.path)
  for (const one of [laptop, phone, server]) await sync(one)
  await machines(phone, (service) => service.beginRoot(true))
  await sync(phone)
  await sync(server)
  if (trusts) await trust(server, phone)
  for (const one of [laptop, server, phone]) await sync(one)
  await add(laptop, "thief")
  await sync(laptop)
  const memoryFile = () => join(memory.directory, readdirSync(memory.directory)[0] as string)
  /** The file is gone; the key beside it is not. */
  const lose = async (of: Machine) => {
    await of.close()
    for (const end of ["", "-wal", "-shm"]) rmSync(of.path + end, { force: true })
    damaged(of.path)
    return open()
  }
  const close = async (...ended: ReadonlyArray<Machine>) => {
    for (const one of [laptop, phone, ...ended]) await one.close()
  }
  return { laptop, phone, server, lose, close, memoryFile, remote }
}

const rootOf = async (of: Machine) => (await machines(of, ({ list }) => list)).machines.find(({ root }) => root)?.name
const accept = (of: Machine) => of.run(Effect.flatMap(Audit, (audit) => audit.accept))

it("a file that is pulled again is under the root that its person had accepted", async () => {
  const { close, lose, phone, server } = await begun()
  const again = await lose(server)
  await sync(again)
  expect(await rootOf(again)).toBe("phone")
  expect(await status(again)).toMatchObject({ roots: [], loss: null, enrolment: "enrolled" })
  expect(await servers(again)).toEqual(["alpha"])
  await sync(phone)
  expect(eventsOf(again.path)).toEqual(eventsOf(phone.path))
  // As often as it happens.
  const third = await lose(again)
  await sync(third)
  expect(await rootOf(third)).toBe("phone")
  await close(third)
})

it("what is written into the empty file meanwhile arrives under that root, and nothing of it under the stolen one", async () => {
  const { close, lose, phone, server } = await begun()
  const again = await lose(server)
  expect((await status(again)).loss?.next).toContain("sync now")
  await add(again, "new9")
  expect((await status(again)).loss?.next).toContain("sync join")
  expect(await attempt(again)).toMatchObject({ _tag: "Left", left: { reason: "to-merge" } })
  await sync(again)
  expect(await rootOf(again)).toBe("phone")
  await sync(phone)
  expect(await servers(phone)).toEqual(["alpha", "new9"])
  expect(eventsOf(again.path)).toEqual(eventsOf(phone.path))
  await close(again)
})

it("nobody begins another root in the place of a log that was lost", async () => {
  const { close, lose, server } = await begun()
  const again = await lose(server)
  const begin = machines(again, (service) => Effect.flip(service.beginRoot(true)))
  expect(await begin).toMatchObject({ reason: expect.stringMatching(/has no events.*sync now/) })
  const invite = { role: "member", uses: 1, expiresAt: new Date().toISOString() } as const
  const invited = machines(again, (service) => Effect.flip(service.invite(invite)))
  expect(await invited).toMatchObject({ reason: expect.stringMatching(/has no events.*sync now/) })
  await sync(again)
  await close(again)
})

it("to go on with what is there takes nothing back of whose word counts", async () => {
  const { close, lose, server } = await begun()
  const again = await lose(server)
  await accept(again)
  expect((await status(again)).loss).toBe(null)
  await sync(again)
  expect(await rootOf(again)).toBe("phone")
  await close(again)
})

it("a root that its person went back from is forgotten, too", async () => {
  const { close, laptop, lose, memoryFile, server } = await begun()
  await machines(server, (service) => service.trust(fingerprint(signerOf(laptop).publicKey)))
  await sync(server)
  await server.close()
  expect(JSON.parse(readFileSync(memoryFile(), "utf8")).roots).toEqual([])
  const again = await lose(server)
  await sync(again)
  expect(await rootOf(again)).toBe("laptop")
  expect((await status(again)).roots).toMatchObject([{ name: "phone" }])
  await close(again)
})

it("one that its person never accepted waits for a word, as before", async () => {
  const { close, lose, server } = await begun({ trusts: false })
  const again = await lose(server)
  await sync(again)
  expect(await rootOf(again)).toBe("laptop")
  expect((await status(again)).roots).toMatchObject([{ name: "phone" }])
  await close(again)
})

it.each([
  ["the event of another key under the same id", (roots: Array<any>) => [{ ...roots[0], publicKey: "x" }]],
  ["another event of the same key", (roots: Array<any>) => [{ ...roots[0], eventId: "x" }]],
  ["what an older version remembered", () => undefined],
])("is not taken for it: %s", async (_, change) => {
  const { close, lose, memoryFile, server } = await begun()
  const again = await lose(server)
  const kept = JSON.parse(readFileSync(memoryFile(), "utf8"))
  writeFileSync(memoryFile(), JSON.stringify({ ...kept, roots: change(kept.roots) }))
  await sync(again)
  expect(await rootOf(again)).toBe("laptop")
  expect((await status(again)).roots).toMatchObject([{ name: "phone" }])
  // Said again, it is remembered again.
  const [root] = (await status(again)).roots
  await machines(again, (service) => service.trust(root?.fingerprint ?? ""))
  await again.close()
  expect(JSON.parse(readFileSync(memoryFile(), "utf8")).roots).toContainEqual(kept.roots[0])
  await close()
})

it("all holds in the end, for whoever verifies it", async () => {
  const { close, lose, phone, server } = await begun()
  const again = await lose(server)
  for (const one of [again, phone]) await sync(one)
  await machines(phone, (service) => service.acknowledge(false))
  for (const one of [phone, again]) await sync(one)
  for (const one of [phone, again]) expect((await verify(one)).findings).toEqual([])
  await close(again)
})
