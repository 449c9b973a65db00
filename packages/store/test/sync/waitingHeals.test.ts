/** A machine that waits to be let in heals a log that lost something: it can give nothing back, and loses nothing by trying. */
import { mkdtempSync } from "node:fs"
import { dirname, join } from "node:path"
import { SyncError } from "@context-engine/core/Errors"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { freshPath } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import { add, approve, attempt, eventsOf, heal, type Machine, machine, servers, status, sync, verify } from "../support/machines.js" // biome-ignore format: one line

const world = async () => {
  const found = await fleet("a", "b")
  await add(found.a, "alpha")
  for (const one of [found.a, found.b]) await sync(one)
  const path = freshPath()
  const directory = mkdtempSync(join(dirname(path), "logs-"))
  const open = () => machine("n", found.remote, { path, memory: { directory } })
  /** As a command does that ends: what it has seen is remembered. */
  const again = async (before: Machine) => {
    await before.close()
    return open()
  }
  return { ...found, n: open(), again }
}

const healing = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => Effect.either(service.heal())))

const expectOne = async (...all: ReadonlyArray<Machine>) => {
  for (const one of all) {
    expect(eventsOf(one.path)).toEqual(eventsOf(all[0]?.path as string))
    expect(await status(one)).toMatchObject({ pending: 0, lastError: null, loss: null })
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    await one.close()
  }
}

it.each(["the machine that waits", "a member"])("a server that is put back, and healed by %s first", async (who) => {
  const { a, again, b, save, ...begun } = await world()
  let { n } = begun
  const putBack = save()
  await add(b, "beta")
  await sync(b)
  await attempt(n)
  n = await again(n)
  putBack()
  if (who === "a member") await heal(b)
  await healing(n)
  n = await again(n)
  await sync(a)
  await approve(a)
  await sync(a)
  await healing(b)
  for (const one of [n, a, b, n]) await sync(one)
  n = await again(n)
  expect(await servers(n)).toEqual(["alpha", "beta"])
  await expectOne(n, a, b)
})

it("a server that is emptied: one that may write has to come first, and is named", async () => {
  const { a, b, n, there } = await world()
  await attempt(n)
  await sync(a)
  there().exec("DROP TABLE events; DROP TABLE log")
  expect(await healing(n)).toMatchObject({ left: { reason: "not-enrolled", message: expect.stringContaining("context infra sync heal on a machine that is enrolled") } }) // biome-ignore format: one line
  await heal(a)
  await healing(n)
  await sync(a)
  await approve(a)
  for (const one of [a, b, n, a]) await sync(one)
  await expectOne(n, a, b)
})

it("one whose request never arrived, and for whom there is no room any more: nothing is missing", async () => {
  const { a, b, remote } = await fleet("a", "b")
  const path = freshPath()
  const directory = mkdtempSync(join(dirname(path), "logs-"))
  const cut = { ...remote, exchange: ((asked) => (asked.push.length > 0 ? offline : remote.exchange(asked))) as typeof remote.exchange } // biome-ignore format: one line
  const n = machine("n", cut, { path, memory: { directory } })
  expect(await attempt(n)).toMatchObject({ _tag: "Left", left: { reason: "offline" } })
  await n.close()
  for (let index = 0; index < 20; index++) {
    const other = machine(`m${index}`, remote)
    await attempt(other)
    await other.close()
  }
  const back = machine("n", remote, { path, memory: { directory } })
  expect(await attempt(back)).toMatchObject({ _tag: "Left", left: { reason: "not-enrolled" } })
  await back.close()
  const again = machine("n", remote, { path, memory: { directory } })
  expect(await status(again)).toMatchObject({ loss: null, enrolment: "not-enrolled" })
  for (const one of [a, b]) await sync(one)
  await expectOne(a, b)
  expect(await verify(again)).toMatchObject({ ok: true, findings: [] })
  await again.close()
})

const offline = new SyncError({ reason: "offline", message: "cut" })
