/** A file that several machines wrote to joins another log. What others wrote in the one before is told as refused. */
import { copyFileSync } from "node:fs"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { uuid } from "../support/events.js"
import { freshPath } from "../support/files.js"
import { add, approve, attempt, beginLog, eventsOf, give, type Machine, machine, machines, rejected, rowsHash, servers, signerOf, sync, verify } from "../support/machines.js" // biome-ignore format: one line
import { makeSequencer } from "../support/sequencer.js"

const joins = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => service.join()))

/** Two machines of one log, whose server then holds another log, of a machine that nobody of them knows. */
const world = async () => {
  let sequencer = makeSequencer()
  const remote = make("memory", (statements, mode) => sequencer.batch(statements, mode))
  const [a, b, x] = ["a", "b", "x"].map((name) => machine(name, remote)) as [Machine, Machine, Machine]
  await beginLog(a, b)
  await add(a, "awork")
  await sync(a)
  await add(b, "bwork")
  await give(b, (r) => r.servers.update("awork", { notes: "by b" }))
  for (const one of [b, a]) await sync(one)
  const stream = eventsOf(a.path).find((row) => row[4] === "ServerAdded")?.[2] as string
  await pin(b, stream, "old")
  for (const one of [b, a]) await sync(one)
  const first = sequencer
  sequencer = makeSequencer()
  await add(x, "xwork")
  await sync(x)
  const back = () => {
    sequencer = first
  }
  const letIn = async (of: Machine) => {
    await attempt(of)
    await sync(x)
    await approve(x)
    for (const one of [x, of]) await sync(one)
  }
  return { a, b, x, letIn, remote, stream, back }
}

/** What has happened, and is no command: a machine accepted a host key. */
const pin = (of: Machine, stream: string, key: string) => {
  const data = { server: "awork", address: "10.0.0.1", algorithm: "ssh-ed25519", key, fingerprint: `SHA256:${key}` }
  const meta = { actor: of.name, via: "library" as const, machine: of.name, commandId: uuid() }
  const event = { id: uuid(), type: "HostKeyPinned", schema: 1, data, meta, occurredAt: new Date().toISOString() }
  return of.run(Effect.flatMap(EventLog, (log) => log.append([{ stream, expected: "any", events: [event] }])))
}

const pins = (of: Machine) =>
  eventsOf(of.path).flatMap((row) => (row[4] === "HostKeyPinned" ? [JSON.parse(row[6]).key] : []))
const openOf = async (of: Machine) => (await rejected(of)).filter(({ status }) => status === "open")

const retryAll = async (of: Machine) => {
  const open = (await openOf(of)).reverse()
  for (const one of open) await of.run(Effect.flatMap(Sync, (service) => Effect.either(service.retry(one.id))))
  return open
}

const same = (...all: ReadonlyArray<Machine>) => {
  for (const one of all) {
    expect(eventsOf(one.path)).toEqual(eventsOf(all[0]?.path as string))
    expect(rowsHash(one.path)).toBe(rowsHash(all[0]?.path as string))
  }
}

describe("a fleet that joins another log", () => {
  it.each([
    ["the admin alone", ["a"]],
    ["a member alone", ["b"]],
  ] as const)("%s: what others wrote is told as refused, and can be given again", async (_, [who]) => {
    const { letIn, x, ...both } = await world()
    const joined = both[who]
    await joins(joined).catch(() => {})
    await letIn(joined)
    for (const one of [x, joined]) await sync(one)
    const others = who === "a" ? ["bwork"] : ["awork"]
    expect(await servers(joined)).toEqual([`${who}work`, "xwork"].sort())
    const told = await retryAll(joined)
    expect(told.map(({ reason }) => reason)).toContainEqual(expect.stringContaining("in another log"))
    await sync(joined)
    await sync(x)
    expect(await servers(x)).toEqual([`${who}work`, ...others, "xwork"].sort())
    for (const one of [x, joined]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    same(x, joined)
    for (const one of [both.a, both.b, x]) await one.close()
  })

  it.each([[["a", "b"]], [["b", "a"]]] as const)("all of it, %j: each thing is there once", async (order) => {
    const { letIn, x, ...both } = await world()
    for (const who of order) {
      await joins(both[who]).catch(() => {})
      await letIn(both[who])
    }
    const all = [both.a, both.b, x]
    for (const one of [...all, ...all]) await sync(one)
    expect(await servers(x)).toEqual([`${order[0]}work`, "xwork"].sort())
    await retryAll(both[order[1]])
    for (const one of [...all, ...all].reverse()) await sync(one)
    expect(await servers(x)).toEqual(["awork", "bwork", "xwork"])
    for (const one of all) expect(await openOf(one)).toEqual([])
    for (const one of all) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    same(...all)
    for (const one of all) await one.close()
  })

  it("nothing that was given again is undone by the machine that wrote it first, whenever that comes", async () => {
    const { a, b, letIn, x } = await world()
    await joins(a).catch(() => {})
    await letIn(a)
    await retryAll(a)
    for (const one of [a, x]) await sync(one)
    await give(x, (r) => r.servers.update("awork", { notes: "by x" }))
    await give(x, (r) => r.servers.remove("bwork"))
    await sync(x)
    await joins(b).catch(() => {})
    await letIn(b)
    for (const one of [b, x, a, b]) await sync(one)
    expect(await servers(x)).toEqual(["awork", "xwork"])
    expect(await notesOf(b, "awork")).toBe("by x")
    for (const one of [a, b, x]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    same(a, b, x)
    for (const one of [a, b, x]) await one.close()
  })

  it.each([["asked before"], ["was let in with another file"]] as const)(
    "nor is what has happened and was given again, where its own machine %s",
    async (when) => {
      const { a, b, letIn, remote, stream, x } = await world()
      if (when === "asked before") {
        await joins(b).catch(() => {})
        await attempt(b)
        await sync(x)
      } else {
        const path = freshPath()
        copyFileSync(`${b.path}.key`, `${path}.key`)
        const other = machine("b", remote, { path })
        await letIn(other)
        await other.close()
      }
      await joins(a).catch(() => {})
      await attempt(a)
      await sync(x)
      await machines(x, (service) => service.approve(signerOf(a).id, "member"))
      for (const one of [x, a]) await sync(one)
      await retryAll(a)
      for (const one of [a, x]) await sync(one)
      await pin(x, stream, "new")
      await sync(x)
      if (when === "asked before") await approve(x)
      else await joins(b)
      await sync(x)
      for (const one of [b, a, x, b]) await sync(one)
      expect(pins(x)).toEqual(["old", "new"])
      for (const one of [a, b, x]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
      same(a, b, x)
      for (const one of [a, b, x]) await one.close()
    },
  )

  it("what its own machine brought after all is not given again by another", async () => {
    const { a, b, x } = await world()
    await joins(b).catch(() => {})
    await attempt(b)
    await sync(x)
    await joins(a).catch(() => {})
    await attempt(a)
    await sync(x)
    await machines(x, (service) => service.approve(signerOf(a).id, "member"))
    for (const one of [x, a, x]) await sync(one)
    await approve(x)
    for (const one of [x, b, x, a]) await sync(one)
    const fact = (await openOf(a)).find(({ what }) => what.includes("host key"))
    const again = await a.run(Effect.flatMap(Sync, (service) => Effect.either(service.retry(fact?.id as string))))
    expect(again).toMatchObject({
      _tag: "Left",
      left: { reason: expect.stringContaining("its own machine brought it") },
    })
    expect(pins(a)).toEqual(["old"])
    for (const one of [a, b, x]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    for (const one of [a, b, x]) await one.close()
  })

  it.each([[false], [true]])(
    "the wrong one, and goes back, having given all again (%s): each thing is there once",
    async (again) => {
      const { a, b, back, letIn, stream, x } = await world()
      await joins(a).catch(() => {})
      await letIn(a)
      await add(a, "meanwhile")
      if (again) await retryAll(a)
      for (const one of [a, x]) await sync(one)
      back()
      await pin(b, stream, "new")
      await sync(b)
      await joins(a)
      for (const one of [a, b, a]) await sync(one)
      expect(await servers(b)).toEqual(["awork", "bwork", "meanwhile"])
      expect(pins(b)).toEqual(["old", "new"])
      expect((await openOf(a)).map(({ what }) => what)).toEqual([`"server xwork added"`])
      for (const one of [a, b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
      same(a, b)
      for (const one of [a, b, x]) await one.close()
    },
  )
})

const notesOf = async (of: Machine, name: string) =>
  (await of.run(Effect.flatMap(ReadModels, (models) => models.servers.list()))).find((one) => one.name === name)?.notes
