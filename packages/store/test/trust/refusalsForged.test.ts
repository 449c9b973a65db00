/** A member's key is stolen. What the thief says of refused commands takes nothing away that others wrote. */
import { CommandRejected, RejectionSettled } from "@context-engine/core/domain/Rejection"
import { EventLog } from "@context-engine/core/EventLog"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { EventRow } from "../../src/record.js"
import { make } from "../../src/sync/RemoteLog.js"
import type { Draft } from "../../src/trust/sealing.js"
import { withNoise } from "../support/audited.js"
import { serverAdded, uuid } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, resigned, rewritten, signed, slipIn } from "../support/forger.js"
import { add, approve, attempt, beginLog, eventsOf, give, heal, type Machine, machine, machines, rejected, servers, signerOf, status, sync, verify } from "../support/machines.js" // biome-ignore format: one line
import { makeSequencer } from "../support/sequencer.js"

/** t is the thief; it was let in by its request, so that it can be promoted. */
const world = async () => {
  const found = await fleet("a", "b")
  const t = machine("t", found.remote)
  await add(found.a, "alpha")
  await sync(found.a)
  await attempt(t)
  await sync(found.a)
  const thief = signerOf(t)
  const forge = (type: string, stream: string, body: unknown, schema = 1) => {
    const there = found.there()
    slipIn(there, placed(there, signed([draft({ type, stream, body, schema })], thief, found.rootId)))
  }
  const saying = async (as: "member" | "admin") => {
    await machines(found.a, (service) => service.approve(thief.id, as))
    for (const one of [found.a, found.b]) await sync(one)
  }
  const revoke = async () => {
    await machines(found.a, (service) => service.revoke(thief.id))
    for (const one of [found.a, found.b]) await sync(one)
  }
  const all = [found.a, found.b, t]
  const close = async () => {
    for (const one of [found.a, found.b]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
    for (const one of all) await one.close()
  }
  return { ...found, t, thief, forge, saying, revoke, close }
}

const originalOf = (row: EventRow) => ({
  ...{ id: row[1], stream: row[2], type: row[4], schema: row[5], occurredAt: row[8] },
  ...{ data: JSON.parse(row[6]), meta: JSON.parse(row[7]) },
})
const refusing = (...rows: ReadonlyArray<EventRow>) => ({
  ...{ commandId: "c", outcome: "refused", reason: "x", actor: "t", machine: "t", signature: null },
  events: rows.map(originalOf),
})
const settled = () => ({ what: "x", how: "retried", commandId: uuid() })
const rightsOf = async (of: Machine, id: string) => {
  const { machines: all } = await machines(of, (service) => service.list)
  const found = all.find(({ machineId }) => machineId === id)
  return `${found?.role} ${found?.status}`
}

describe("where the server was put back to just after an equal decision", () => {
  it("a demotion is no less one because somebody says that it was refused, and given again", async () => {
    const { a, b, close, forge, save, saying, thief } = await world()
    await saying("member")
    const putBack = save()
    await saying("admin")
    await saying("member")
    const last = eventsOf(a.path).findLast((row) => row[4] === "MachineEnrolled") as EventRow
    putBack()
    forge(RejectionSettled.type, `rejection-${last[1]}`, settled())
    forge(CommandRejected.type, `rejection-${last[1]}`, refusing(last))
    for (const one of [a, b, a]) await heal(one)
    for (const one of [a, b]) expect(await rightsOf(one, thief.id)).toBe("member enrolled")
    await close()
  })

  it("nor is a revocation", async () => {
    const { a, b, close, revoke, rootId, save, saying, there, thief } = await world()
    await saying("member")
    await revoke()
    const putBack = save()
    await saying("member")
    await revoke()
    const last = eventsOf(a.path).findLast((row) => row[4] === "MachineRevoked") as EventRow
    putBack()
    const saidBy = (type: string, body: unknown) =>
      slipIn(there(), placed(there(), signed([draft({ type, stream: `rejection-${last[1]}`, body })], signerOf(b), rootId))) // biome-ignore format: one line
    saidBy(RejectionSettled.type, settled())
    saidBy(CommandRejected.type, refusing(last))
    for (const one of [a, b, a]) await heal(one)
    for (const one of [a, b]) expect(await rightsOf(one, thief.id)).toBe("member revoked")
    await close()
  })

  it("nor is what has happened, where it only stands there from before", async () => {
    const { a, b, close, forge, save, saying } = await world()
    await saying("member")
    const stream = eventsOf(a.path).find((row) => row[4] === "ServerAdded")?.[2] as string
    const pin = async (of: Machine, key: string) => {
      const data = { server: "alpha", address: "10.0.0.1", algorithm: "ssh-ed25519", key, fingerprint: `SHA256:${key}` }
      const meta = { actor: of.name, via: "library" as const, machine: of.name, commandId: uuid() }
      const event = { id: uuid(), type: "HostKeyPinned", schema: 1, data, meta, occurredAt: new Date().toISOString() }
      await of.run(Effect.flatMap(EventLog, (log) => log.append([{ stream, expected: "any", events: [event] }])))
      for (const one of [of, a, b]) await sync(one)
    }
    await pin(a, "good")
    const putBack = save()
    await pin(a, "bad")
    await pin(b, "good")
    const last = eventsOf(a.path).findLast((row) => row[4] === "HostKeyPinned") as EventRow
    putBack()
    forge(RejectionSettled.type, `rejection-${last[1]}`, settled())
    forge(CommandRejected.type, `rejection-${last[1]}`, refusing(last))
    forge(RejectionSettled.type, `rejection-${last[1]}`, settled())
    for (const one of [a, b, a]) await heal(one)
    const pins = eventsOf(a.path).filter((row) => row[4] === "HostKeyPinned")
    expect(pins.map((row) => JSON.parse(row[6]).key)).toEqual(["good", "bad", "good"])
    await close()
  })

  it("and what a newer version, or the thief, wrote as a refusal of another shape is not read", async () => {
    const { a, b, close, forge, save, saying } = await world()
    await saying("member")
    const putBack = save()
    await add(b, "work")
    for (const one of [b, a]) await sync(one)
    const id = eventsOf(b.path).find((row) => row[6].includes("work"))?.[1]
    putBack()
    for (const body of [null, { events: [null] }, { events: null }])
      forge(CommandRejected.type, `rejection-${id}`, body, 99)
    for (const one of [b, a]) await heal(one)
    expect(await servers(a)).toEqual(["alpha", "work"])
    await close()
  })
})

/** b added `x` after a had: it is told as refused, and could be given again since a has removed its own. */
const refused = async () => {
  const found = await world()
  const { a, b, saying } = found
  await saying("member")
  await add(b, "x")
  await add(a, "x")
  for (const one of [a, b]) await sync(one)
  await give(a, (r) => r.servers.remove("x"))
  for (const one of [a, b]) await sync(one)
  const [told] = await rejected(b)
  return { ...found, told: told as NonNullable<typeof told> }
}
const retry = (of: Machine, id: string) => of.run(Effect.flatMap(Sync, (service) => Effect.either(service.retry(id))))

it("that somebody gave a command again is believed where it is there", async () => {
  const { a, b, close, forge, told } = await refused()
  await retry(b, told.id)
  forge(RejectionSettled.type, `rejection-${told.id}`, settled())
  for (const one of [b, a]) await sync(one)
  for (const one of [a, b]) expect(await servers(one)).toEqual(["alpha", "x"])
  await close()
})

it("what bears the id of a refused command, and is another, is not taken for it", async () => {
  const { a, b, close, rootId, there, thief, told } = await refused()
  const [{ id, stream, type }] = told.events as unknown as readonly [{ id: string; stream: string; type: string }]
  slipIn(there(), placed(there(), signed([draft({ id, type, stream, body: serverAdded("evil").data })], thief, rootId)))
  for (const one of [a, b]) await sync(one)
  const again = await retry(b, told.id)
  expect(again._tag === "Left" ? again.left.message : "").not.toContain("brought it")
  await close()
})

it("a refusal on the stream of a server lets nothing of that go, where another log is joined", async () => {
  let sequencer = makeSequencer()
  const remote = make("memory", (statements, mode) => sequencer.batch(statements, mode))
  const [a, t, x] = ["a", "t", "x"].map((name) => machine(name, remote)) as [Machine, Machine, Machine]
  const rootId = await beginLog(a, t)
  await add(a, "awork")
  await sync(a)
  const first = sequencer
  const stream = eventsOf(a.path).find((row) => row[4] === "ServerAdded")?.[2] as string
  const other = makeSequencer()
  sequencer = other
  await add(x, "xwork")
  await sync(x)
  const there = eventsOf(x.path).find((row) => row[4] === "ServerAdded") as EventRow
  const forged = draft({ type: CommandRejected.type, stream, body: refusing(there) })
  slipIn(first.connection, placed(first.connection, signed([forged], signerOf(t), rootId)))
  sequencer = first
  await sync(a)
  sequencer = other
  await a.run(Effect.flatMap(Sync, (service) => Effect.either(service.join())))
  await sync(x)
  await approve(x)
  for (const one of [x, a, x]) await sync(one)
  expect(await servers(x)).toEqual(["awork", "xwork"])
  for (const one of [a, x]) expect(await verify(one)).toMatchObject({ ok: true, findings: [] })
  for (const one of [a, t, x]) await one.close()
})

it("a command that is given again is not told as given because somebody gave another one on its stream", async () => {
  const { a, b, close, rootId, there, thief, told } = await refused()
  await retry(b, told.id)
  const other = draft({ body: serverAdded("zzz").data })
  const stream = `rejection-${told.id}`
  const put = (...drafts: ReadonlyArray<Draft>) => slipIn(there(), placed(there(), signed(drafts, thief, rootId)))
  const original = { ...other, data: JSON.parse(other.data) }
  put(draft({ type: CommandRejected.type, stream, body: { ...refusing(), events: [original] } }))
  put({ ...other, id: uuid() }, draft({ type: RejectionSettled.type, stream, body: settled() }))
  for (const one of [b, a]) await sync(one)
  for (const one of [a, b]) expect(await servers(one)).toEqual(["alpha", "x", "zzz"])
  await close()
})

describe("what could not be told as refused counts for nothing", () => {
  it.each([
    ["a refusal in a unit with others", "rejection-"],
    ["a refusal on another stream", "server-"],
  ])("%s: the server is put back, and all machines heal it", async (_, kind) => {
    const { a, b, rootId, save, saying, thief, there, t } = await world()
    await saying("member")
    for (const one of [a, b]) withNoise(one.path)
    const putBack = save()
    const deep = JSON.parse(`${'{"a":'.repeat(62)}1${"}".repeat(62)}`)
    const body = { ...refusing(), events: [{ ...draft(), data: deep }] }
    const told = draft({ type: CommandRejected.type, stream: `${kind}${uuid()}`, body })
    const zed = draft({ body: serverAdded("zed").data })
    const put = (drafts: ReadonlyArray<Draft>) => slipIn(there(), placed(there(), signed(drafts, thief, rootId)))
    if (kind === "server-") put([told])
    else put([told, zed])
    await add(a, "awork")
    await sync(a)
    putBack()
    await add(b, "zed")
    await sync(b)
    for (const one of [a, b, a]) await heal(one)
    for (const one of [a, b]) {
      expect(await servers(one)).toEqual(["alpha", "awork", "zed"])
      expect(await status(one)).toMatchObject({ pending: 0, lastError: null })
    }
    for (const one of [a, b, t]) await one.close()
  })
})

it("a meta that says a member twice is none: the database would read another key than the one that signed", async () => {
  const { a, b, revoke, rootId, saying, there, thief, t } = await world()
  await saying("member")
  for (const one of [a, b]) withNoise(one.path)
  const stream = eventsOf(a.path).find((row) => row[4] === "ServerAdded")?.[2] as string
  const rows = signed([draft({ type: "FutureThing", stream })], thief, rootId)
  const twice = rows.map((row) => rewritten(row, { meta: `{"key":"${signerOf(a).id}",${row[7].slice(1)}` }))
  slipIn(there(), placed(there(), resigned(twice, thief, rootId)))
  for (const one of [a, b]) await sync(one)
  await give(b, (r) => r.servers.update("alpha", { notes: "mine" }))
  expect(await sync(b)).toMatchObject({ pending: 0 })
  expect(await status(b)).toMatchObject({ unknown: [], inert: 1 })
  await revoke()
  for (const one of [a, b, t]) await one.close()
})

it("a meta that no machine would take is refused before it is written", async () => {
  const { a, b, t } = await world()
  const meta = { actor: "a", via: "library" as const, machine: "a", commandId: uuid(), cause: "x".repeat(25_000) }
  const event = { ...serverAdded("long"), meta }
  const written = await a.run(
    Effect.flatMap(EventLog, (log) => Effect.either(log.append([{ stream: `server-${uuid()}`, expected: 0, events: [event] }]))), // biome-ignore format: one append
  )
  expect(written).toMatchObject({ _tag: "Left", left: { message: expect.stringContaining("meta") } })
  for (const one of [a, b, t]) await one.close()
})
