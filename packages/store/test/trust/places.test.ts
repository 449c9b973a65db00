/** A key that two places have: each is told of it, whoever comes second, and nobody whose key is in one place alone. */
import { cpSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { Audit } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { endSession } from "../../src/standing.js"
import { freshPath } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import { add, type Machine, machine, servers, status, sync, verify } from "../support/machines.js"

/** All that a copy of a disk takes along. */
const all = ["", ".key", ".key.sessions"]

const heldEverywhere = async (...places: ReadonlyArray<Machine>) => {
  for (const one of places) {
    expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
    await one.close()
  }
}

it("is told to the first, too, where the copy writes in a session of its own", async () => {
  const { a, b, remote } = await fleet("a", "b")
  await add(a, "first")
  await sync(a)
  await a.close()
  const path = freshPath()
  for (const end of all) cpSync(a.path + end, path + end)
  const [owner, thief] = [machine("a", remote, { path: a.path }), machine("a", remote, { path })]
  await add(owner, "own")
  await sync(owner)
  await sync(thief)
  expect((await status(thief)).clonedAt).not.toBe(null)
  expect((await status(owner)).clonedAt).toBe(null)
  await add(thief, "stolen")
  await sync(thief)
  await sync(owner)
  expect((await status(owner)).clonedAt).not.toBe(null)
  await sync(b)
  expect((await status(b)).clonedAt).toBe(null)
  await heldEverywhere(owner, thief, b)
})

it("is told to nobody of a second file beside the first, whichever writes, and however often a session ends", async () => {
  const { a, b, remote } = await fleet("a", "b")
  const beside = freshPath()
  // One key in one place, for two files.
  const key = `${a.path}.key`
  symlinkSync(key, `${beside}.key`)
  symlinkSync(`${key}.sessions`, `${beside}.key.sessions`)
  const second = machine("a", remote, { path: beside })
  await sync(second)
  const accept = (of: Machine) => of.run(Effect.flatMap(Audit, (audit) => audit.accept))
  for (const n of [1, 2, 3]) {
    for (const one of [a, second]) {
      await add(one, `${one === a ? "a" : "second"}-${n}`)
      await sync(one)
      await accept(one)
    }
  }
  for (const one of [a, second, b]) {
    await sync(one)
    expect((await status(one)).clonedAt).toBe(null)
  }
  expect(await servers(b)).toHaveLength(6)
  await heldEverywhere(a, second, b)
})

it("is told to nobody who moved to another machine with the key alone, and pulled what it had written", async () => {
  const { a, b, remote } = await fleet("a", "b")
  await add(a, "first")
  await sync(a)
  const backup = freshPath()
  await a.close()
  cpSync(a.path, backup)
  const old = machine("a", remote, { path: a.path })
  await add(old, "later")
  await sync(old)
  await old.close()
  cpSync(`${a.path}.key`, `${backup}.key`)
  const moved = machine("a", remote, { path: backup })
  // As a restore does: the log may have gone on since then.
  await moved.run(Effect.flatMap(Database, (database) => database.write(endSession)))
  await sync(moved)
  await add(moved, "here")
  for (const one of [moved, b, moved]) await sync(one)
  expect((await status(moved)).clonedAt).toBe(null)
  await heldEverywhere(moved, b)
})

it("is kept in a small file that nobody else reads", async () => {
  const { a, b } = await fleet("a", "b")
  const before = process.umask(0)
  try {
    await add(a, "one")
    await sync(a)
  } finally {
    process.umask(before)
  }
  const file = `${a.path}.key.sessions`
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readFileSync(file, "utf8")).toMatch(/^(?:(?:since \S+ \d+|session [0-9a-f]{16})\n)+$/)
  await heldEverywhere(a, b)
})
