/** A file that several machines wrote to joins another log. What others wrote in the one before is told as refused. */
import { ReadModels } from "@context-engine/core/ReadModels"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import { add, approve, attempt, beginLog, eventsOf, give, type Machine, machine, rejected, rowsHash, servers, sync, verify } from "../support/machines.js" // biome-ignore format: one line
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
  sequencer = makeSequencer()
  await add(x, "xwork")
  await sync(x)
  const letIn = async (of: Machine) => {
    await attempt(of)
    await sync(x)
    await approve(x)
    for (const one of [x, of]) await sync(one)
  }
  return { a, b, x, letIn }
}

const retryAll = async (of: Machine) => {
  const open = (await rejected(of)).filter(({ status }) => status === "open").reverse()
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
    const told = (await rejected(joined)).filter(({ status }) => status === "open")
    expect(told.map(({ reason }) => reason)).toContainEqual(expect.stringContaining("in another log"))
    for (const one of told) await joined.run(Effect.flatMap(Sync, (service) => Effect.either(service.retry(one.id))))
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
    for (const one of all) expect((await rejected(one)).filter(({ status }) => status === "open")).toEqual([])
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
})

const notesOf = async (of: Machine, name: string) =>
  (await of.run(Effect.flatMap(ReadModels, (models) => models.servers.list()))).find((one) => one.name === name)?.notes
