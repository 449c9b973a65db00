/** A disk that was copied, key and all: whoever finds that another place goes on with its session says so, though both only take turns. */
import { cpSync } from "node:fs"
import { Audit } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { freshPath } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import { placed, slipIn } from "../support/forger.js"
import { add, eventsOf, heal, machine, machines, servers, status, sync, verify } from "../support/machines.js"

it("two places with one key that take turns are noticed, and lose nothing", async () => {
  const { a, b, remote } = await fleet("a", "b")
  await add(a, "first")
  await sync(a)
  await a.close()
  const path = freshPath()
  for (const end of ["", ".key"]) cpSync(`${a.path}${end}`, `${path}${end}`)
  const [before, copy] = [machine("a", remote, { path: a.path }), machine("a", remote, { path })]
  for (const n of [1, 2]) {
    await sync(copy)
    await add(copy, `copy-${n}`)
    await sync(copy)
    await sync(before)
    await add(before, `own-${n}`)
    await sync(before)
  }
  expect((await status(before)).clonedAt).not.toBe(null)
  for (const one of [copy, before, b, copy]) await sync(one)
  for (const one of [before, copy, b]) {
    expect(await servers(one)).toEqual(["copy-1", "copy-2", "first", "own-1", "own-2"])
    expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
    await one.close()
  }
  expect((await status(machine("b", remote, { path: b.path }))).clonedAt).toBe(null)
})

/** A machine whose file is an older copy of itself again, which it remembers to have been further. */
const olderPutBack = async () => {
  const { a, b, remote } = await fleet("a", "b")
  await add(a, "one")
  await sync(a)
  await a.close()
  const older = freshPath()
  cpSync(a.path, older)
  const memory = { directory: `${a.path}-memory` }
  const own = machine("a", remote, { path: a.path, memory })
  await add(own, "two")
  await sync(own)
  await own.close()
  cpSync(older, a.path)
  const back = machine("a", remote, { path: a.path, memory })
  return { b, back }
}

it("an older copy of its file, put back and gone on with by a person's word, is no other place", async () => {
  const { b, back } = await olderPutBack()
  expect(await back.run(Effect.flatMap(Audit, (audit) => audit.accept))).not.toBe(null)
  await sync(back)
  await add(back, "three")
  for (const one of [back, b]) {
    await sync(one)
    expect(await status(one)).toMatchObject({ clonedAt: null, breaks: [] })
    expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
    expect(await servers(one)).toEqual(["one", "three", "two"])
    await one.close()
  }
})

it("an older copy of its file that is gone on with, though it was told of, is no other place", async () => {
  const { b, back } = await olderPutBack()
  for (const name of ["three", "four"]) await add(back, name)
  for (const one of [back, b, back]) await sync(one)
  expect(await status(back)).toMatchObject({ clonedAt: null, breaks: [], loss: null })
  for (const one of [back, b]) {
    expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
    expect(await servers(one)).toEqual(["four", "one", "three", "two"])
    await one.close()
  }
})

it("what a machine wrote itself comes back to it without such a word", async () => {
  const { a, remote, b } = await fleet("a", "b")
  await add(a, "one")
  await sync(a)
  await a.close()
  const again = machine("a", remote, { path: a.path })
  await add(again, "two")
  await sync(again)
  expect((await status(again)).clonedAt).toBe(null)
  for (const one of [again, b]) await one.close()
})

it("a unit that somebody took out of the shared log comes back after the next one, and that is no other place either", async () => {
  const { a, b, save, there } = await fleet("a", "b")
  const putBack = save()
  for (const name of ["one", "two"]) await add(a, name)
  for (const one of [a, b]) await sync(one)
  const two = eventsOf(a.path).filter((row) => row[6].includes('"two"'))
  putBack()
  slipIn(there(), placed(there(), two))
  await heal(a)
  for (const one of [a, b]) await heal(one)
  // That something was taken out there is told, until a person has seen it.
  expect(await machines(a, (service) => service.acknowledge(false))).toBe(1)
  for (const one of [a, b]) {
    await sync(one)
    expect(await status(one)).toMatchObject({ clonedAt: null, breaks: [] })
    expect(await servers(one)).toEqual(["one", "two"])
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    await one.close()
  }
})
