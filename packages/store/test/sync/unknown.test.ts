/** What only a newer version knows holds back what touches the same things, and nothing else: no decision about who may write. */
import { Audit } from "@context-engine/core/services/Audit"
import { Sync } from "@context-engine/core/services/Sync"
import type * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { withNoise } from "../support/audited.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, signed, slipIn, unsigned } from "../support/forger.js"
import {
  add,
  approve,
  attempt,
  eventsOf,
  give,
  heal,
  machine,
  machines,
  servers,
  signerOf,
  status,
  sync,
  trust,
  verify,
} from "../support/machines.js"

/** b's key, or who stole it, put an event of a type that a does not know on the stream of a server. */
const world = async ({ services = [] }: { readonly services?: ReadonlyArray<string> } = {}) => {
  const found = await fleet("a", "b", "c")
  const { a, b, c, rootId, there } = found
  await add(a, "alpha")
  for (const name of services) await give(a, (r) => r.services.add({ name, server: "alpha" }))
  for (const one of [a, b, c]) await sync(one)
  const stream = eventsOf(a.path).find((row) => row[4] === "ServerAdded")?.[2] as string
  slipIn(
    there(),
    placed(there(), signed([draft({ type: "MoonLanded", stream, body: { where: "x" } })], signerOf(b), rootId)),
  )
  await sync(a)
  await sync(c)
  return found
}

const statusOf = async (of: Parameters<typeof machines>[0], name: string) =>
  (await machines(of, (service) => service.list)).machines.find((one) => one.name === name)?.status

describe("work on what a newer version wrote to", () => {
  it("waits, and what was done before it is pushed", async () => {
    const { a, b, c } = await world()
    await add(a, "before")
    await give(a, (r) => r.servers.update("alpha", { notes: "mine" }))
    await add(a, "after")
    expect(await sync(a)).toMatchObject({ pushed: 1, pending: 2 })
    expect(await sync(a)).toMatchObject({ pushed: 0, pending: 2 })
    await sync(c)
    expect(await servers(c)).toEqual(["alpha", "before"])
    expect(await status(a)).toMatchObject({ unknown: [{ type: "MoonLanded@1", by: "b" }], lastError: null })
    for (const one of [a, c]) expect(await verify(one)).toMatchObject({ ok: true })
    for (const one of [a, b, c]) await one.close()
  })

  it("holds back no revocation, and waits no more for a machine that was revoked", async () => {
    const { a, b, c } = await world()
    await give(a, (r) => r.servers.update("alpha", { notes: "mine" }))
    await add(a, "after")
    await machines(a, (service) => service.revoke("b"))
    expect(await sync(a)).toMatchObject({ pending: 0 })
    await sync(c)
    expect(await statusOf(c, "b")).toBe("revoked")
    expect(await servers(c)).toEqual(["after", "alpha"])
    for (const one of [a, c]) {
      expect(await status(one)).toMatchObject({ unknown: [], pending: 0, lastError: null })
      expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    }
    for (const one of [a, b, c]) await one.close()
  })

  it("waits with the whole unit that it is a part of, and the exchange ends", async () => {
    const { a, b, c } = await world({ services: ["api"] })
    await give(a, (r) => r.servers.remove("alpha", { cascade: true }))
    for (let again = 0; again < 2; again++) expect(await sync(a)).toMatchObject({ pushed: 0, pending: 2 })
    await machines(a, (service) => service.revoke("b"))
    expect(await sync(a)).toMatchObject({ pending: 0 })
    for (const one of [a, b, c]) await one.close()
  })

  it.each(["heal", "disconnect"] as const)("waits after a %s, too", async (way) => {
    const { a, b, c, save } = await world()
    await give(a, (r) => r.servers.update("alpha", { notes: "mine" }))
    await sync(a)
    if (way === "heal") {
      const put = save()
      await add(c, "gone")
      await sync(c)
      await sync(a)
      put()
      await heal(a)
    } else await a.run(Effect.flatMap(Sync, (service) => service.disconnect))
    expect(await sync(a)).toMatchObject({ pushed: 0, pending: 1 })
    for (const one of [a, b, c]) await one.close()
  })

  it("holds back no decision about another machine", async () => {
    const { a, b, c } = await world()
    await give(a, (r) => r.servers.update("alpha", { notes: "mine" }))
    await machines(a, (service) => service.revoke("c"))
    await machines(a, (service) => service.rename("b", "bee"))
    expect(await sync(a)).toMatchObject({ pending: 1 })
    await attempt(b)
    expect(await statusOf(b, "c")).toBe("revoked")
    expect(await statusOf(b, "bee")).toBe("enrolled")
    for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true })
    for (const one of [a, b, c]) await one.close()
  })

  it("waits for no event of that kind that counts for nothing", async () => {
    const { a, b, c, there } = await world()
    for (const one of [a, b, c]) withNoise(one.path)
    await add(a, "beta")
    await sync(a)
    const stream = eventsOf(a.path).findLast((row) => row[4] === "ServerAdded")?.[2] as string
    slipIn(there(), placed(there(), unsigned([draft({ type: "MoonLanded", stream })])))
    await sync(a)
    await give(a, (r) => r.servers.update("beta", { notes: "mine" }))
    expect(await sync(a)).toMatchObject({ pushed: 1, pending: 0 })
    for (const one of [a, b, c]) await one.close()
  })
})

describe("a server that was put back with what a newer version wrote", () => {
  it.each([["a"], ["c"]] as const)(
    "has all of it again after %s healed it, and its own later work waits",
    async (who) => {
      const { a, b, c, rootId, save, there } = await world()
      const putBack = save()
      const stream = eventsOf(a.path).find((row) => row[4] === "MoonLanded")?.[2] as string
      const update = draft({ type: "ServerUpdated", stream, body: { name: "alpha", changes: { notes: "by b" } } })
      slipIn(there(), placed(there(), signed([update], signerOf(b), rootId)))
      await sync(a)
      await add(a, "beta")
      await machines(a, (service) => service.rename("c", "cee"))
      for (const one of [a, c]) await sync(one)
      await add(c, "gamma")
      for (const one of [c, a]) await sync(one)
      const before = eventsOf(a.path)
      await give(a, (r) => r.servers.update("alpha", { notes: "mine" }))
      putBack()
      await heal({ a, c }[who])
      for (const one of [a, c]) await sync(one)
      expect(eventsOf(c.path)).toEqual(before)
      expect(await status(a)).toMatchObject({ pending: 1, lastError: null })
      for (const one of [a, c]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
      for (const one of [a, b, c]) await one.close()
    },
  )

  it("has it behind a decision that was made of it since, in the order in which that counted", async () => {
    const { a, b, c, save } = await world()
    const putBack = save()
    await add(c, "gamma")
    for (const one of [c, a]) await sync(one)
    await give(a, (r) => r.servers.update("alpha", { notes: "mine" }))
    await machines(a, (service) => service.revoke("c"))
    putBack()
    await heal(a)
    expect(await servers(a)).toEqual(["alpha", "gamma"])
    expect(await status(a)).toMatchObject({ pending: 1, inertEvents: [], lastError: null })
    expect(await verify(a)).toMatchObject({ ok: true, findings: [] })
    for (const one of [a, b, c]) await one.close()
  })
})

describe("what a newer version wrote is noticed", () => {
  it("in a log that was imported", async () => {
    const { a, b, c, remote } = await world()
    const lines = await a.run(Effect.flatMap(Audit, (audit) => Stream.runCollect(audit.export)))
    const alone = machine("d", undefined)
    await alone.run(Effect.flatMap(Audit, (audit) => audit.import(Stream.fromChunk(lines as Chunk.Chunk<never>))))
    await alone.close()
    const d = machine("d", remote, { path: alone.path })
    await attempt(d)
    await sync(a)
    await approve(a)
    for (const one of [a, d]) await sync(one)
    await give(d, (r) => r.servers.update("alpha", { notes: "mine" }))
    expect(await sync(d)).toMatchObject({ pushed: 0, pending: 1 })
    expect((await status(d)).unknown).toEqual([{ type: "MoonLanded@1", by: "b" }])
    expect(await verify(d)).toMatchObject({ ok: true })
    for (const one of [a, b, c, d]) await one.close()
  })

  it("under a root that was trusted later", async () => {
    const { a, b, c, there } = await fleet("a", "b", "c")
    await add(a, "alpha")
    for (const one of [a, b, c]) await sync(one)
    const stream = eventsOf(a.path).find((row) => row[4] === "ServerAdded")?.[2] as string
    await machines(c, (service) => service.beginRoot(true))
    await sync(c)
    const root = eventsOf(c.path).findLast((row) => row[4] === "RootEstablished")?.[1] as string
    slipIn(there(), placed(there(), signed([draft({ type: "MoonLanded", stream })], signerOf(c), root)))
    await attempt(a)
    await trust(a, c)
    expect((await status(a)).unknown).toEqual([{ type: "MoonLanded@1", by: "c" }])
    expect(await verify(a)).toMatchObject({ ok: true, findings: [] })
    for (const one of [a, b, c]) await one.close()
  })
})
