/**
 * What fits its type may still hold what no program of ours writes: members of other names, texts that SQLite does not keep, ids that are
 * another's. It counts or it does not, but every machine has the same rows then, also after a server was put back; and `audit verify`
 * is green but for what is told as noise.
 */
import { EnrolmentRequested, machinesStream } from "@context-engine/core/domain/Machine"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import type { EventRow } from "../../src/record.js"
import type { Draft } from "../../src/trust/sealing.js"
import { withNoise } from "../support/audited.js"
import { serverAdded, uuid } from "../support/events.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, resigned, rewritten, signed, slipIn, stranger, unsigned } from "../support/forger.js"
import {
  add,
  attempt,
  eventsOf,
  give,
  heal,
  type Machine,
  machine,
  rowsHash,
  signerOf,
  sync,
  verify,
} from "../support/machines.js"

const world = async () => {
  const found = await fleet("a", "b", "c", "thief")
  const { a, b, c, thief } = found
  for (const one of [a, b, c, thief]) withNoise(one.path)
  await give(a, (r) => r.servers.add({ name: "s" }))
  await give(a, (r) => r.services.add({ name: "v", server: "s" }))
  await give(a, (r) => r.timeline.add({ type: "maintenance", severity: "info", title: "hello" } as never))
  for (const one of [a, b, c, thief]) await sync(one)
  const first = (type: string) => eventsOf(a.path).find((row) => row[4] === type) as EventRow
  const names = { server: first("ServerAdded"), service: first("ServiceAdded"), entry: first("InfraEventAdded") }
  const put = (...drafts: ReadonlyArray<Draft>) =>
    drafts.map((one) => slipIn(found.there(), placed(found.there(), signed([one], signerOf(thief), found.rootId))))
  return { ...found, ...names, put }
}
type World = Awaited<ReturnType<typeof world>>

const at = "2026-01-01T00:00:00.000Z"
const named = { service: "v", server: "s", serverId: "x" }
const started = { ...named, deploymentId: "dep1", version: null, previousVersion: null, deployedBy: "a", method: "manual", notes: null, at } // biome-ignore format: one event
const ended = { ...named, deploymentId: "dep1", version: "1", duration: 1, logs: "", at, verified: true }
const checked = { ...named, status: "healthy", previous: "unknown", latency: null, at }

const ofServer = ({ server }: World, changes: object): Draft =>
  draft({ stream: server[2], type: "ServerUpdated", body: { name: "s", changes } })
const ofService = ({ service }: World, type: string, body: unknown): Draft => draft({ stream: service[2], type, body })
const odd = (more: object): Draft => draft({ body: { ...(serverAdded("odd").data as object), ...more } })

const kinds: Readonly<Record<string, (of: World) => ReadonlyArray<Draft>>> = {
  "a member of another name: whose machine it is": (of) => [
    ofServer(of, { local: true }),
    ofServer(of, { localKey: signerOf(of.a).id, localMachine: "a" }),
  ],
  "a member of another name: another id": (of) => [ofServer(of, { id: "zzz" })],
  "a member of another name: the id of what is there": (of) => [odd({ id: of.server[2].slice(7) })],
  "a member of another name: what no column takes": (of) => [
    ofServer(of, { statusReason: true, lastSeen: 5.5, hostKeys: 5 }),
    odd({ createdAt: true, statusReason: { a: 1 } }),
  ],
  "half a character": (of) => [
    ofService(of, "HealthChecked", { ...checked, detail: "a\ud800b" }),
    draft({ stream: of.server[2], type: "ServerRenamed", body: { from: "s", to: "x\udc00y" } }),
  ],
  NUL: (of) => [
    ofService(of, "HealthChecked", { ...checked, detail: "a\u0000b" }),
    draft({ stream: of.server[2], type: "ServerRenamed", body: { from: "s", to: "x\u0000y" } }),
  ],
  "a deployment of an unknown type, whose id is none": (of) => [
    ofService(of, "DeploymentMoon", { deploymentId: true }),
    ofService(of, "DeploymentMoon", { deploymentId: { a: 1 } }),
  ],
  "the id of an entry": ({ entry }) => [draft({ id: entry[2].slice(6) })],
  "an entry under the id of an event": ({ entry, server }) => [
    draft({ stream: `entry-${server[1]}`, type: "InfraEventAdded", body: JSON.parse(entry[6]) }),
  ],
  "a text that is cut in the middle of a character": (of) => [
    draft({ stream: of.server[2], type: "CommandRun", body: { server: "s", argv: [`${"x".repeat(99)}😀yy`], exitCode: 0, duration: 1, reason: null, at } }), // biome-ignore format: one event
    ofService(of, "DeploymentStarted", started),
    ofService(of, "DeploymentSucceeded", { ...ended, version: "12345678901😀" }),
    ofService(of, "DeploymentRolledBack", { ...named, deploymentId: "dep1", rollbackVersion: "12345678901😀" }),
  ],
  "an update under the id of its own row": ({ entry, server }) => [
    draft({ id: server[2].slice(7), stream: server[2], type: "ServerUpdated", body: { name: "s", changes: { notes: "n" } } }), // biome-ignore format: one event
    draft({ id: entry[2].slice(6), stream: entry[2], type: "InfraEventUpdated", body: { name: "hello", changes: { title: "bye" } } }), // biome-ignore format: one event
  ],
  "a removal under the id of its own row": ({ server }) => [
    draft({ id: server[2].slice(7), stream: server[2], type: "ServerRemoved", body: { name: "s" } }),
  ],
  "the end of a deployment under its id": (of) => [
    ofService(of, "DeploymentStarted", started),
    { ...ofService(of, "DeploymentSucceeded", ended), id: "dep1" },
  ],
  "a deployment that is said twice": (of) => [
    {
      ...draft({ stream: `service-${uuid()}`, type: "DeploymentStarted" }),
      data: JSON.stringify(started).replace('"deploymentId":', '"deploymentId":"other","deploymentId":'),
    },
    ofService(of, "DeploymentStarted", started),
  ],
  "a deployment that is said in escapes": (of) => [
    {
      ...draft({ stream: `service-${uuid()}`, type: "DeploymentStarted" }),
      data: JSON.stringify(started).replace('"deploymentId":', '"deployment\\u0049d":'),
    },
    ofService(of, "DeploymentStarted", started),
  ],
  "another service's word on a deployment": (of) => [
    ofService(of, "DeploymentStarted", started),
    draft({ stream: `service-${uuid()}`, type: "DeploymentAnnotated", body: { ...named, deploymentId: "dep1", notes: "no" } }), // biome-ignore format: one event
    draft({ stream: `service-${uuid()}`, type: "DeploymentStarted", body: started }),
  ],
}

const expectAlike = async (all: ReadonlyArray<Machine>) => {
  for (const one of [...all, ...all]) await sync(one)
  for (const one of all) {
    expect((await verify(one)).findings.filter(({ kind }) => kind !== "inert")).toEqual([])
    expect(rowsHash(one.path)).toBe(rowsHash((all[0] as Machine).path))
  }
}

describe("signed with a member's key", () => {
  it.each(Object.entries(kinds))("%s", async (_, make) => {
    const of = await world()
    const { a, b, c, thief } = of
    const before = of.save()
    of.put(...make(of).slice(0, 1))
    await sync(a)
    const between = of.save()
    of.put(...make(of).slice(1))
    await expectAlike([a, b])
    // The server is put back, once to before all of it and once to the middle, and another goes on there.
    for (const [name, putBack] of [
      ["between", between],
      ["before", before],
    ] as const) {
      putBack()
      await heal(c)
      await add(c, `work-${name}`)
      for (const one of [c, b, a]) await heal(one)
      await expectAlike([a, b, c])
    }
    const [server] = await a.run(Effect.flatMap(ReadModels, (models) => models.servers.list()))
    expect(server?.localKey ?? null).not.toBe(signerOf(a).id)
    for (const one of [a, b, c, thief]) await one.close()
  })
})

/** A stranger's own request to be let in counts: it is all that the token alone can write. */
const request = (of: World, about: Partial<Draft>, actor = "root") => {
  const x = stranger("x")
  const body = { machineId: x.id, name: "x", publicKey: x.publicKey, invite: null }
  const asked = draft({ stream: machinesStream, type: EnrolmentRequested.type, schema: EnrolmentRequested.schema, body, ...about }) // biome-ignore format: one event
  const rows = signed([asked], x, of.rootId)
  const said = rows.map((row) => rewritten(row, { meta: row[7].replace('"actor":"root"', `"actor":${actor}`) }))
  slipIn(of.there(), placed(of.there(), resigned(said, x, of.rootId)))
}

describe("asked by a stranger", () => {
  it.each([
    ["under the id of an entry", (of: World) => request(of, { id: of.entry[2].slice(6) }, '"root"')],
    ["by half a character", (of: World) => request(of, {}, '"a\\ud800"')],
    ["by NUL", (of: World) => request(of, {}, '"a\\u0000"')],
  ])("%s", async (_, ask) => {
    const of = await world()
    const { a, b, thief } = of
    ask(of)
    await sync(b)
    request(of, {}, '"root"')
    const newcomer = machine("newcomer", of.remote)
    withNoise(newcomer.path)
    await attempt(newcomer)
    await expectAlike([a, b])
    expect((await verify(newcomer)).findings.filter(({ kind }) => kind !== "inert")).toEqual([])
    for (const one of [a, b, of.c, thief, newcomer]) await one.close()
  })
})

it("an entry that a server lost is shown again, though a stranger took its id meanwhile", async () => {
  const of = await world()
  const { a, b, c, thief } = of
  const putBack = of.save()
  await give(b, (r) => r.timeline.add({ type: "incident", severity: "critical", title: "the disk burns" } as never))
  for (const one of [b, a]) await sync(one)
  const stream = eventsOf(b.path).findLast((row) => row[4] === "InfraEventAdded")?.[2] ?? ""
  putBack()
  request(of, { id: stream.slice("entry-".length) }, '"root"')
  for (const one of [b, a, b, c]) await heal(one)
  await expectAlike([a, b, c])
  const titles = await a.run(Effect.flatMap(ReadModels, (models) => models.infraEvents.list()))
  expect(titles.map(({ title }) => title)).toContain("the disk burns")
  for (const one of [a, b, c, thief]) await one.close()
})

it("whoever writes without a text for its key counts for nothing, on every machine", async () => {
  const of = await world()
  const { a, b, c, thief } = of
  const meta = { ...draft().meta, key: 5 } as never
  slipIn(of.there(), placed(of.there(), unsigned([draft({ meta, body: { ...(serverAdded("odd").data as object), local: true } })]))) // biome-ignore format: one event
  await expectAlike([a, b, c])
  for (const one of [a, b, c, thief]) await one.close()
})
