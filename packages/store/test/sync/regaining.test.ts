/** A file whose end was cut off: nothing is written in the place of what is gone, and the next exchange brings it back. */
import { Audit } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { damaged, withNoise } from "../support/audited.js"
import { withSqlite } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import {
  add,
  attempt,
  beginLog,
  give,
  type Machine,
  machine,
  machines,
  rowsHash,
  servers,
  status,
  sync,
  verify,
} from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

/** Takes the last events out of a file, as any SQLite program can that does not keep to its triggers. */
const cut = async ({ path }: Machine, events: number) =>
  withSqlite(path, (file) => {
    const found = file.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_no_delete'").get() as { sql: string }
    file.exec("DROP TRIGGER events_no_delete")
    file.exec(`DELETE FROM events WHERE position > (SELECT max(position) FROM events) - ${events}`)
    file.exec(found.sql)
  })

/** A person goes on with what is there. */
const goOn = (one: Machine) => one.run(Effect.flatMap(Audit, (audit) => audit.accept))

/** Units of one event, of three, and of one. */
const work = async (a: Machine) => {
  await add(a, "gone")
  for (const name of ["s1", "s2"]) await give(a, ({ services }) => services.add({ name, server: "gone" }))
  await give(a, ({ servers }) => servers.remove("gone", { cascade: true }))
  await add(a, "last")
}

describe("the end of a file, cut off anywhere", () => {
  it.each([1, 2, 3, 4, 5])("is whole again after an exchange, where it was shared: %i events", async (events) => {
    const { a, b } = await fleet("a", "b")
    await work(a)
    for (const one of [a, b]) await sync(one)
    await cut(a, events)
    await sync(a)
    await add(a, "more")
    for (const one of [a, b]) await sync(one)
    for (const one of [a, b]) {
      expect(await servers(one)).toEqual(["last", "more"])
      expect(await verify(one)).toMatchObject({ ok: true, findings: [], inert: 0 })
    }
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    for (const one of [a, b]) await one.close()
  })

  it.each([1, 2, 3, 4, 5])(
    "is not in the shared log where it was not shared; half a command counts for nothing: %i events",
    async (events) => {
      const { a, b } = await fleet("a", "b")
      await work(a)
      await cut(a, events)
      expect((await status(a)).loss?.message).toContain(`ends at position ${8 - events}`)
      // Whatever is in its tables of that nobody hears of.
      for (const end of [attempt(a), give(a, ({ services }) => services.add({ name: "x", server: "last" }))])
        expect(await end).toMatchObject({ _tag: "Left", left: { reason: "corrupt" } })
      await goOn(a)
      await add(a, "more")
      for (const one of [a, b]) await sync(one)
      const isHalf = events === 2 || events === 3
      expect((await verify(a)).inert).toBe(isHalf ? 4 - events : 0)
      if (isHalf) for (const one of [a, b]) withNoise(one.path)
      expect(await servers(a)).toEqual(events === 1 ? ["more"] : ["gone", "more"])
      if (isHalf) {
        await machines(a, (service) => service.acknowledge(false))
        for (const one of [a, b]) await sync(one)
      }
      for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true })
      expect(rowsHash(a.path)).toBe(rowsHash(b.path))
      for (const one of [a, b]) await one.close()
    },
  )

  it("is told once, and not again when what is left of it is shared", async () => {
    const { a, b, remote } = await fleet("a", "b")
    await a.close()
    const memory = { directory: `${a.path}-memory` }
    const own = machine("a", remote, { path: a.path, memory })
    await work(own)
    await cut(own, 2)
    expect((await status(own)).loss).not.toBe(null)
    await goOn(own)
    for (const one of [own, b]) withNoise(one.path)
    await add(b, "theirs")
    for (const one of [b, own, b]) await sync(one)
    expect((await status(own)).loss).toBe(null)
    expect(await servers(own)).toEqual(await servers(b))
    for (const one of [own, b]) await one.close()
  })

  it("keeps nobody from sharing what is there for the first time", async () => {
    const remote = make("memory", makeSequencer().batch)
    const alone = machine("a", undefined)
    await beginLog(alone)
    await work(alone)
    await cut(alone, 2)
    await goOn(alone)
    await alone.close()
    withNoise(alone.path)
    const shared = machine("a", remote, { path: alone.path })
    expect(await attempt(shared)).toMatchObject({ _tag: "Right" })
    expect(await status(shared)).toMatchObject({ pending: 0 })
    await shared.close()
  })

  it("takes nothing of what others did meanwhile for what counts for nothing", async () => {
    const { a, b } = await fleet("a", "b")
    for (const name of ["one", "two", "three"]) await add(a, name)
    await cut(a, 1)
    await add(b, "three")
    await sync(b)
    await goOn(a)
    for (const one of [a, b]) await sync(one)
    for (const one of [a, b]) {
      expect(await servers(one)).toEqual(["one", "three", "two"])
      expect(await verify(one)).toMatchObject({ ok: true, findings: [], inert: 0 })
      await one.close()
    }
  })
})

describe("the end of a file that is shared, cut off", () => {
  it.each([1, 2, 3])("comes back with the next exchange: %i events", async (events) => {
    const { a, b } = await fleet("a", "b")
    for (const name of ["one", "two", "three"]) await add(a, name)
    for (const one of [a, b]) await sync(one)
    await add(b, "theirs")
    await sync(b)
    await cut(a, events)
    expect(await status(a)).toMatchObject({ pending: 0 })
    const written = await add(a, "four")
    expect(written).toMatchObject({
      _tag: "Left",
      left: { message: expect.stringContaining("sync now brings them back") },
    })
    expect(await attempt(a)).toMatchObject({ _tag: "Right" })
    expect(await servers(a)).toEqual(["one", "theirs", "three", "two"])
    await add(a, "four")
    for (const one of [a, b]) await sync(one)
    for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [], inert: 0 })
    expect(rowsHash(a.path)).toBe(rowsHash(b.path))
    for (const one of [a, b]) await one.close()
  })

  it("that it had not shared is not written over: a person goes on without it, and nobody misses anything", async () => {
    const { a, b } = await fleet("a", "b")
    await add(a, "one")
    await sync(a)
    for (const name of ["two", "three"]) await add(a, name)
    await cut(a, 1)
    const refused = { _tag: "Left", left: { message: expect.stringContaining("context infra audit accept") } }
    expect(await add(a, "four")).toMatchObject(refused)
    expect(await attempt(a)).toMatchObject(refused)
    await sync(b)
    expect(await servers(b)).toEqual(["one"])
    await goOn(a)
    await add(a, "four")
    for (const one of [a, b]) await sync(one)
    for (const one of [a, b]) {
      expect(await servers(one)).toEqual(["four", "one", "two"])
      expect(await verify(one)).toMatchObject({ ok: true, findings: [], inert: 0 })
      expect((await status(one)).breaks).toEqual([])
      await one.close()
    }
  })

  it("may be taken for the end by a person where the server is out of reach, and what is written then goes after the rest", async () => {
    const { a, b } = await fleet("a", "b")
    for (const name of ["one", "two"]) await add(a, name)
    for (const one of [a, b]) await sync(one)
    await cut(a, 2)
    expect((await status(a)).loss).toMatchObject({ message: expect.stringContaining("lacks events that it shared") })
    await goOn(a)
    expect(await status(a)).toMatchObject({ loss: null, confirmed: 1, pending: 0 })
    expect(await servers(a)).toEqual([])
    await add(a, "three")
    for (const one of [a, b]) await sync(one)
    for (const one of [a, b]) {
      expect(await servers(one)).toEqual(["one", "three", "two"])
      expect(await verify(one)).toMatchObject({ ok: true, findings: [], inert: 0 })
      await one.close()
    }
  })

  it("ends no exchange in a circle where the shared log lacks it, too", async () => {
    const { a, b, save } = await fleet("a", "b")
    await add(a, "one")
    await sync(a)
    const putBack = save()
    await add(a, "two")
    await sync(a)
    damaged(a.path)
    await cut(a, 1)
    putBack()
    const ended = await attempt(a)
    expect(ended).toMatchObject({ _tag: "Left", left: { reason: "rolled-back" } })
    for (const one of [a, b]) await one.close()
  })
})
