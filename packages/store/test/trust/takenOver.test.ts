/** A log with a new root goes into another file, by an export or a backup: what this machine's key or its person accepts counts there. */
import { cpSync, mkdtempSync } from "node:fs"
import { dirname, join } from "node:path"
import { Audit } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { NativeConnection } from "../../src/connection.js"
import { layer } from "../../src/layer.js"
import { prepare } from "../../src/restore.js"
import { layerWith } from "../../src/SqlAudit.js"
import { make } from "../../src/sync/RemoteLog.js"
import { audited, damaged, withNoise } from "../support/audited.js"
import { freshPath } from "../support/files.js"
import { inLog, serverNames } from "../support/live.js"
import { add, beginLog, machine, machines, sync, trust } from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

/** The laptop's keys are lost; the phone begins a root, and adds what only counts under that. The server's person accepts it. */
const begun = async () => {
  const remote = make("memory", makeSequencer().batch)
  const path = freshPath()
  const memory = { directory: mkdtempSync(join(dirname(path), "logs-")) }
  const [laptop, phone, server] = [
    machine("laptop", remote),
    machine("phone", remote),
    machine("server", remote, { path, memory }),
  ]
  await beginLog(laptop, phone, server)
  await add(laptop, "alpha")
  for (const one of [laptop, phone, server]) await sync(one)
  await machines(phone, (service) => service.beginRoot(true))
  await add(phone, "beta")
  for (const one of [phone, withNoisy(server)]) await sync(one)
  await trust(server, phone)
  for (const one of [server, phone]) await sync(one)
  const lines = await phone.run(Effect.flatMap(Audit, (audit) => Stream.runCollect(audit.export)))
  for (const one of [laptop, phone, server]) await one.close()
  return { laptop, phone, server, memory, lines: [...lines] }
}
const withNoisy = <A extends { readonly path: string }>(of: A): A => {
  withNoise(of.path)
  return of
}

type Way = { readonly keyPath?: string; readonly memory?: { readonly directory: string } }

const imported = async (lines: ReadonlyArray<string>, { keyPath, memory }: Way) => {
  const path = freshPath()
  audited(withNoise(path))
  const all = Layer.provideMerge(layerWith({ ...(keyPath && { keyPath }) }), layer(path, { memory }))
  const take = Effect.flatMap(Audit, (audit) => audit.import(Stream.fromIterable(lines)))
  const taken = await Effect.runPromise(Effect.provide(take, all))
  return { inert: taken.inert, servers: await inLog(path, serverNames) }
}

const restored = async (backup: string, { keyPath, memory }: Way, path = freshPath()) => {
  audited(withNoise(path))
  const how = { ...(keyPath && { keyPath }), memory: memory?.directory }
  const placed = Effect.flatMap(prepare(backup, path, how), (found) => Effect.as(found.place, found))
  const { differing, rootWaits } = await Effect.runPromise(Effect.scoped(placed))
  return { differing, rootWaits, servers: await inLog(path, serverNames) }
}

const all = ["alpha", "beta"]

describe("an export", () => {
  it("counts whole on the machine that is the root, and where its person accepted that", async () => {
    const { lines, memory, phone, server } = await begun()
    expect(await imported(lines, { keyPath: `${phone.path}.key` })).toEqual({ inert: 0, servers: all })
    expect(await imported(lines, { memory })).toEqual({ inert: 0, servers: all })
    expect(await imported(lines, { memory, keyPath: `${server.path}.key` })).toEqual({ inert: 0, servers: all })
  })

  it("of a root that nobody here has accepted waits for a word", async () => {
    const { laptop, lines } = await begun()
    const { inert, servers } = await imported(lines, { keyPath: `${laptop.path}.key` })
    expect([inert > 0, servers]).toEqual([true, ["alpha"]])
  })

  it("that comes in two parts counts whole, too", async () => {
    const { lines, phone } = await begun()
    const path = freshPath()
    audited(withNoise(path))
    const way = Layer.provideMerge(layerWith({ keyPath: `${phone.path}.key` }), layer(path))
    for (const part of [lines.slice(0, 3), lines]) {
      const take = Effect.flatMap(Audit, (audit) => audit.import(Stream.fromIterable(part)))
      expect(await Effect.runPromise(Effect.provide(take, way))).toMatchObject({ inert: 0 })
    }
    expect(await inLog(path, serverNames)).toEqual(all)
  })
})

describe("a backup", () => {
  it("whose root nobody here has accepted says that, and not that its rows were wrong", async () => {
    const { laptop, phone } = await begun()
    expect(await restored(phone.path, {})).toEqual({ differing: 0, rootWaits: true, servers: ["alpha"] })
    const keyPath = `${laptop.path}.key`
    expect(await restored(phone.path, { keyPath })).toEqual({ differing: 0, rootWaits: true, servers: ["alpha"] })
  })

  it("whose rows are not what its events say is told as that, whoever has accepted its root", async () => {
    const { phone } = await begun()
    const backup = freshPath()
    cpSync(phone.path, damaged(backup))
    const connection = new NativeConnection(backup, 1_000)
    connection.exec("UPDATE servers SET notes = 'x' WHERE name = 'alpha'")
    connection.close()
    expect(await restored(backup, {})).toMatchObject({ differing: 1, rootWaits: true })
    expect(await restored(backup, { keyPath: `${phone.path}.key` })).toMatchObject({ differing: 1, rootWaits: false })
  })

  it("counts whole where its person accepted its root, also in a place of its own, or where the file was lost", async () => {
    const { laptop, memory, phone } = await begun()
    const whole = { differing: 0, rootWaits: false, servers: all }
    expect(await restored(phone.path, { memory })).toEqual(whole)
    // One that is older than that word, too: there the root waits.
    const before = await restored(laptop.path, { memory })
    expect(before).toEqual({ differing: 0, rootWaits: false, servers: ["alpha"] })
  })

  it("brings no root in by an id alone: the key has to be the one that was accepted", async () => {
    const { phone, server } = await begun()
    const changed = damaged(freshPath())
    cpSync(server.path, changed)
    const connection = new NativeConnection(changed, 1_000)
    const [event] = connection
      .prepare("SELECT position FROM events WHERE type = 'RootEstablished' AND position > 1")
      .get()
    const [guard] = connection.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events_no_update'").get()
    connection.exec(`DROP TRIGGER events_no_update;
      UPDATE events SET data = json_set(data, '$.publicKey', 'another') WHERE position = ${event}; ${guard}`)
    // A copy that no connection of this process has had open: only such a one can be replaced at once.
    const there = damaged(freshPath())
    connection.exec(`VACUUM INTO '${there}'`)
    connection.close()
    expect(await restored(phone.path, {}, there)).toMatchObject({ rootWaits: true, servers: ["alpha"] })
  })
})
