/** Work that waits in a file under a key that nobody let in, when another key that may write comes to it: nothing of it is lost. */
import { cpSync, renameSync } from "node:fs"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { fleet } from "../support/fleet.js"
import { add, approve, attempt, eventsOf, give, type Machine, machine, rejected, rowsHash, servers, status, sync, verify } from "../support/machines.js" // biome-ignore format: one line

/** Gives all that this machine told as refused again. */
const retryAll = (of: Machine) =>
  of.run(
    Effect.flatMap(Sync, (service) =>
      Effect.flatMap(service.rejectedHere, (rows) => Effect.forEach(rows, ({ id }) => service.retry(id))),
    ),
  )

const agree = async (...all: ReadonlyArray<Machine>) => {
  for (const one of [...all, ...all]) await sync(one)
  for (const one of all) {
    expect(await verify(one)).toMatchObject({ ok: true, inert: 0, findings: [] })
    expect(rowsHash(one.path)).toBe(rowsHash(all[0]?.path as string))
  }
}

/** A newcomer that waits, with work; then its file goes on with the key of a member. */
const waiting = async () => {
  const found = await fleet("root", "job")
  const newcomer = machine("newcomer", found.remote)
  await attempt(newcomer)
  await add(newcomer, "mine")
  await give(newcomer, (r) => r.secrets.add({ name: "KEY_A", server: "mine" }))
  // That has happened: nobody decides it again.
  await give(newcomer, (r) => r.secrets.rotated({ name: "KEY_A" }))
  await attempt(newcomer)
  expect(await status(newcomer)).toMatchObject({ enrolment: "waiting" })
  await newcomer.close()
  const own = `${newcomer.path}.key`
  renameSync(own, `${own}.own`)
  cpSync(`${found.job.path}.key`, own)
  return { ...found, file: machine("job", found.remote, { path: newcomer.path }), own }
}

/** What the newcomer did, in words. */
const told = ["secret KEY_A registered", "secret KEY_A rotated", "server mine added"].map((what) =>
  JSON.stringify(what),
)

it("is told as refused, and given again with the key that may write", async () => {
  const { file, job, root } = await waiting()
  const done = await attempt(file)
  expect(done).toMatchObject({ _tag: "Right", right: { rejected: [{}, {}, {}] } })
  expect((await rejected(file)).map(({ what }) => what).sort()).toEqual(told)
  for (const row of await rejected(file))
    expect(row).toMatchObject({ status: "open", reason: expect.stringContaining("which nobody enrolled") })
  await agree(root, job, file)
  await retryAll(file)
  await agree(root, job, file)
  for (const one of [root, job, file]) expect(await servers(one)).toEqual(["mine"])
  for (const one of [root, job, file]) await one.close()
})

it("and stands once, where its own key is let in meanwhile", async () => {
  const { file, job, own, remote, root } = await waiting()
  await attempt(file)
  await file.close()
  renameSync(`${own}.own`, own)
  const newcomer = machine("newcomer", remote, { path: file.path })
  await sync(root)
  await approve(root)
  await agree(root, job, newcomer)
  expect((await rejected(newcomer)).map(({ what }) => what).sort()).toEqual(told)
  await add(newcomer, "more")
  await agree(root, job, newcomer)
  expect(await servers(root)).toEqual(["more"])
  for (const one of [root, job, newcomer]) await one.close()
})

it("also where others wrote meanwhile, and what has happened is told, too", async () => {
  const { file, job, root } = await waiting()
  await add(root, "theirs")
  await sync(root)
  await attempt(file)
  await agree(root, job, file)
  expect((await rejected(file)).map(({ what }) => what).sort()).toEqual(told)
  expect(await servers(file)).toEqual(["theirs"])
  expect(eventsOf(file.path).length).toBe(eventsOf(root.path).length)
  for (const one of [root, job, file]) await one.close()
})
