/**
 * A machine that puts back what another key wrote, and finds that a part of it can stand no more: what is told as refused is not
 * missing, and nothing is red where nobody was hostile.
 */
import { EventLog } from "@context-engine/core/EventLog"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { enrol } from "../support/enrolment.js"
import { uuid } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import {
  add,
  attempt,
  eventsOf,
  heal,
  type Machine,
  machine,
  machines,
  rejected,
  rowsHash,
  servers,
  signerOf,
  status,
  sync,
  verify,
  withNewKey,
} from "../support/machines.js"

const alike = async (...all: ReadonlyArray<Machine>) => {
  for (const one of all) {
    expect(eventsOf(one.path)).toEqual(eventsOf(all[0]?.path ?? ""))
    expect(rowsHash(one.path)).toBe(rowsHash(all[0]?.path ?? ""))
    expect(await status(one)).toMatchObject({ breaks: [], inert: 0, pending: 0 })
    expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  }
}

it("after a key was lost, and the machine has another", async () => {
  const { a, b: old, c, remote } = await fleet("a", "b", "c")
  for (const name of ["same", "own"]) await add(old, name)
  await add(a, "same")
  await sync(a)
  const b = await withNewKey(old, remote)
  await attempt(b)
  await sync(a)
  await a.run(enrol(signerOf(b)))
  for (const one of [a, b, c, a]) await sync(one)
  await alike(a, b, c)
  expect(await servers(c)).toEqual(["own", "same"])
  expect(await rejected(c)).toMatchObject([{ status: "open", what: expect.stringContaining("same") }])
  for (const one of [b, a]) {
    await add(one, `after-${one.name}`)
    await sync(one)
  }
  await sync(b)
  await sync(c)
  await alike(a, b, c)
  for (const one of [a, b, c]) await one.close()
})

it.each(["of two, the first is refused", "of three, the last is refused", "all are refused"])(
  "on a server that was put back, where another machine heals first: %s",
  async (how) => {
    const { a, b, c, save } = await fleet("a", "b", "c")
    const putBack = save()
    const [names, taken] = how.startsWith("of two") ? [["x", "y"], ["x"]] : how.startsWith("of three") ? [["x", "y", "z"], ["z"]] : [["x", "y"], ["x", "y"]] // biome-ignore format: one choice
    for (const name of names) await add(b, name)
    for (const one of [b, c]) await sync(one)
    putBack()
    // What b writes before it knows of that goes on from what was refused.
    await add(b, "later")
    for (const name of taken) await add(a, name)
    await sync(a)
    for (const one of [c, b, a]) await heal(one)
    for (const one of [c, b, a, c, b]) await sync(one)
    await alike(a, b, c)
    for (const one of [b, c]) await add(one, `after-${one.name}`)
    for (const one of [b, c, a, b]) await sync(one)
    await alike(a, b, c)
    expect(await servers(a)).toEqual([...names, "after-b", "after-c", "later"].sort())
    for (const one of [a, b, c]) await one.close()
  },
)

it("what was told as refused under a key that was revoked is told once, and given again once", async () => {
  const { a, b: old, c, remote } = await fleet("a", "b", "c")
  await add(old, "same")
  await add(a, "same")
  await machines(a, (service) => service.revoke(signerOf(old).id))
  await sync(a)
  await attempt(old)
  const b = await withNewKey(old, remote)
  await attempt(b)
  await sync(a)
  await a.run(enrol(signerOf(b)))
  for (const one of [a, b, c, a]) await sync(one)
  const found = await rejected(c)
  expect(found).toMatchObject([{ status: "open", what: '"server same added"' }])
  await alike(a, b, c)
  for (const one of [a, b, c]) await one.close()
})

it("a machine that may not write is not told again to heal what it cannot, and has what the others give back", async () => {
  const { a, b, c, remote, save } = await fleet("a", "b", "c")
  const d = machine("d", remote)
  await attempt(d)
  const putBack = save()
  await add(a, "before")
  await sync(a)
  await add(d, "waiting")
  await attempt(d)
  putBack()
  const healed = await d.run(Effect.flatMap(Sync, (service) => Effect.flip(service.heal())))
  expect(healed).toMatchObject({ reason: "not-enrolled" })
  expect(await attempt(d)).toMatchObject({ left: { reason: "not-enrolled" } })
  await add(b, "meanwhile")
  await sync(b)
  for (const one of [a, b, c]) await heal(one)
  for (const one of [a, c]) await sync(one)
  expect(await attempt(d)).toMatchObject({ left: { reason: "not-enrolled" } })
  const there = eventsOf(a.path)
  expect(eventsOf(d.path).slice(0, there.length)).toEqual(there)
  expect(await status(d)).toMatchObject({ confirmed: there.length, pending: 1, enrolment: "waiting" })
  await alike(a, b, c)
  for (const one of [a, b, c, d]) await one.close()
})

it("a machine that says so of what another has yet to write takes nothing from it", async () => {
  const { a, b, c } = await fleet("a", "b", "c")
  await add(b, "first")
  for (const one of [b, a, c]) await sync(one)
  await add(b, "waiting")
  const meta = JSON.parse(eventsOf(b.path).at(-1)?.[7] ?? "")
  const original = { id: uuid(), stream: `server-${uuid()}`, type: "ServerAdded", schema: 1, data: {}, meta, occurredAt: "2026-01-01T00:00:00.000Z" } // biome-ignore format: one event
  const data = { commandId: uuid(), outcome: "refused", reason: "a lie", actor: "c", machine: "c", events: [original], signature: null } // biome-ignore format: one event
  const event = { id: uuid(), type: "CommandRejected", schema: 1, data, meta: { actor: "c", via: "cli" as const, machine: "c", commandId: uuid() }, occurredAt: new Date().toISOString() } // biome-ignore format: one event
  await c.run(Effect.flatMap(EventLog, (log) => log.append([{ stream: `rejection-${original.id}`, expected: "any", events: [event] }]))) // biome-ignore format: one line
  await sync(c)
  for (const one of [b, a, c]) await sync(one)
  await alike(a, b, c)
  expect(await servers(a)).toEqual(["first", "waiting"])
  for (const one of [a, b, c]) expect(await status(one)).toMatchObject({ clonedAt: null })
  await add(b, "later")
  for (const one of [b, a, c]) await sync(one)
  await alike(a, b, c)
  for (const one of [a, b, c]) await one.close()
})
