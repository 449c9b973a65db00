/** A backup of a machine that may not write, or not yet: on another one its work is not passed on as that one's own, and nothing is lost. */
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { prepare } from "../src/restore.js"
import { loadSigner } from "../src/Signer.js"
import { fingerprint } from "../src/trust/keys.js"
import { released } from "./durability/verify.js"
import { enrol } from "./support/enrolment.js"
import { freshPath } from "./support/files.js"
import { fleet } from "./support/fleet.js"
import { backupOf } from "./support/live.js"
import { add, attempt, eventsOf, give, type Machine, machine, machines, rejected, rowsHash, servers, signerOf, sync, verify } from "./support/machines.js" // biome-ignore format: one line

const agree = async (...all: ReadonlyArray<Machine>) => {
  for (const one of [...all, ...all]) await sync(one)
  for (const one of all) {
    expect(await verify(one)).toMatchObject({ ok: true, inert: 0, findings: [] })
    expect(rowsHash(one.path)).toBe(rowsHash(all[0]?.path as string))
  }
}

/** A log of three machines, and a backup of a fourth that may not write to it, with work that waits. */
const withheld = async (status: "waiting" | "revoked") => {
  const found = await fleet("root", "job")
  await add(found.root, "shared")
  await sync(found.root)
  const lost = machine("lost", found.remote)
  await attempt(lost)
  if (status === "revoked") {
    await sync(found.root)
    await found.root.run(enrol(signerOf(lost)))
    await sync(found.root)
    await sync(lost)
    await add(lost, "before")
    await sync(lost)
    await sync(found.root)
    await machines(found.root, (service) => service.revoke(signerOf(lost).id))
    await sync(found.root)
    await attempt(lost)
  }
  await add(lost, "mine")
  await give(lost, (r) => r.secrets.add({ name: "KEY_A", server: "mine" }))
  // That has happened: nobody decides it again.
  await give(lost, (r) => r.secrets.rotated({ name: "KEY_A" }))
  await attempt(lost)
  const backup = await backupOf(lost.path)
  await lost.close()
  const shared = status === "revoked" ? ["before", "shared"] : ["shared"]
  return { ...found, backup, shared, lost: fingerprint(signerOf(lost).publicKey) }
}

/** What waited, in words. */
const told = ["secret KEY_A registered", "secret KEY_A rotated", "server mine added"].map((what) =>
  JSON.stringify(what),
)

const restored = async (backup: string, path: string) => {
  loadSigner(`${path}.key`)
  const placing = Effect.flatMap(prepare(backup, path, { keyPath: `${path}.key` }), ({ place, problems, withheld }) =>
    Effect.as(place, { problems, withheld }),
  )
  return Effect.runPromise(Effect.scoped(placing))
}

const retryAll = (of: Machine) =>
  of.run(
    Effect.flatMap(Sync, (service) =>
      Effect.flatMap(service.rejectedHere, (rows) => Effect.forEach(rows, ({ id }) => service.retry(id))),
    ),
  )

const cases = [
  ["waiting", "member"],
  ["waiting", "newcomer"],
  ["revoked", "member"],
  ["revoked", "newcomer"],
] as const

it.each(cases)("the work of one that is %s, on a %s, is kept as refused, and given again", async (status, who) => {
  const { backup, job, lost, remote, root, shared } = await withheld(status)
  const path = who === "member" ? job.path : freshPath()
  if (who === "member") {
    await job.close()
    await released(path)
  }
  const said = await restored(backup, path)
  expect(said.problems).toEqual([])
  expect(said.withheld).toMatchObject([{ fingerprint: lost, status, events: 3 }])
  const one = machine(who, remote, { path })
  expect(await servers(one)).toEqual([...shared, "mine"].sort())
  expect(await verify(one)).toMatchObject({
    findings: [],
    withheld: [{ name: expect.any(String), own: false, events: 3, because: status }],
  })
  await attempt(one)
  if (who === "newcomer") {
    await sync(root)
    await root.run(enrol(signerOf(one)))
    await sync(root)
  }
  await agree(root, one)
  expect(await servers(root)).toEqual(shared)
  expect((await rejected(one)).map(({ what }) => what).sort()).toEqual(told)
  for (const row of await rejected(one))
    expect(row).toMatchObject({
      status: "open",
      reason: expect.stringMatching(/which nobody enrolled|which is revoked/),
    })
  await retryAll(one)
  await agree(root, one)
  for (const each of [root, one]) expect(await servers(each)).toEqual([...shared, "mine"].sort())
  expect(eventsOf(one.path)).toEqual(eventsOf(root.path))
  for (const each of [root, one, job]) await each.close()
})
