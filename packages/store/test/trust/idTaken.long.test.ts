/**
 * An id alone is not the event. The server was put back to before something, and whoever may append put something else under its
 * id, or said that it was refused: whoever heals first, it is in the log, or told with all that it said, or heal stops. It never
 * just goes.
 */
import { Commands } from "@context-engine/core/Commands"
import { machinesStream } from "@context-engine/core/domain/Machine"
import * as Service from "@context-engine/core/domain/Service"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import type { EventRow } from "../../src/record.js"
import { withNoise } from "../support/audited.js"
import { enrol } from "../support/enrolment.js"
import { withSqlite } from "../support/files.js"
import { fleet } from "../support/fleet.js"
import { draft, signed, slipIn, stranger, unsigned } from "../support/forger.js"
import {
  eventsOf,
  give,
  type Machine,
  machine,
  machines,
  rejected,
  rowsHash,
  servers,
  signerOf,
  status,
  sync,
  trust,
  verify,
} from "../support/machines.js"
import { invite } from "../support/tampered.js"

const heal = (of: Machine) => of.run(Effect.flatMap(Sync, (service) => Effect.either(service.heal())))
const list = (of: Machine) => machines(of, (service) => service.list)
const member = async (of: Machine, name: string) => (await list(of)).machines.find((one) => one.name === name)

type World = Awaited<ReturnType<typeof world>>

/** `a` is the root, `c` and `d` are admins, `b` is a member who has the server's token. */
const world = async () => {
  const found = await fleet("a", "b", "c", "d")
  for (const one of [found.c, found.d]) await found.a.run(enrol(signerOf(one), "admin"))
  await machines(found.a, (service) =>
    service.invite({ role: "admin", uses: 1, expiresAt: "2099-01-01T00:00:00.000Z" }),
  )
  for (const one of [found.a, found.b, found.c, found.d]) {
    withNoise(one.path)
    await sync(one)
  }
  return found
}

/** What the root does, and whether it holds on a machine. */
const deeds: Record<string, { do: (world: World) => Promise<unknown>; holds: (on: Machine) => Promise<boolean> }> = {
  "a server": {
    do: ({ a }) => give(a, (r) => r.servers.add({ name: "gold" })),
    holds: async (on) => (await servers(on)).includes("gold"),
  },
  "a revocation": {
    do: ({ a, c }) => machines(a, (service) => service.revoke(signerOf(c).id)),
    holds: async (on) => (await member(on, "c"))?.status === "revoked",
  },
  "a demotion": {
    do: ({ a }) => machines(a, (service) => service.approve("c", "member")),
    holds: async (on) => (await member(on, "c"))?.role === "member",
  },
  "an enrolment": {
    do: ({ a }) => a.run(enrol({ ...stranger("x"), name: "x" }, "member")),
    holds: async (on) => (await member(on, "x"))?.status === "enrolled",
  },
  // Of it nothing is seen but that its writer's numbers go on.
  "an acknowledgement": {
    do: async ({ a, there }) => {
      slipIn(there(), unsigned([draft()]))
      await sync(a)
      await machines(a, (service) => service.acknowledge(false))
    },
    holds: async () => true,
  },
  "an invite's end": {
    do: async ({ a }) => {
      const [invite] = (await list(a)).invites
      await machines(a, (service) => service.withdraw(invite?.inviteId ?? ""))
    },
    holds: async (on) => (await list(on)).invites.length === 0,
  },
}

/** What stands under its id afterwards. The content is another, or another says it, at another time. */
const disguises: Record<string, (row: EventRow, world: World) => ReadonlyArray<EventRow>> = {
  "something unsigned": ([, id]) => unsigned([draft({ id })]),
  "a member's other event": ([, id], { b, rootId }) => signed([draft({ id })], signerOf(b), rootId),
  "a member's copy": (row, { b, rootId }) =>
    signed([draft({ id: row[1], stream: row[2], type: row[4], data: row[6] })], signerOf(b), rootId),
  "a refusal of something else": (row, world) => refusalBy(world.b, world, row, { name: "other" }),
  "a member's refusal of it": (row, world) => refusalBy(world.b, world, row, JSON.parse(row[6])),
  "the refusal of it by whom it is about": (row, world) => refusalBy(world.c, world, row, JSON.parse(row[6])),
}

const refusalBy = (by: Machine, { rootId }: World, row: EventRow, data: unknown) => {
  const meta = JSON.parse(row[7])
  const carried = { id: row[1], stream: row[2], type: row[4], schema: row[5], data, meta, occurredAt: row[8] }
  const said = { outcome: "moot", reason: "somebody has done the same", actor: "ada", machine: "a" }
  const body = { ...said, commandId: meta.commandId, events: [carried], signature: row[11] }
  return signed([draft({ type: "CommandRejected", stream: `rejection-${row[1]}`, body })], signerOf(by), rootId)
}

/** All that it said, under a refusal that anybody can find. */
const isTold = async (on: Machine, row: EventRow) =>
  (await rejected(on)).some(({ events }) =>
    events.some(({ data, id }) => id === row[1] && JSON.stringify(data) === JSON.stringify(JSON.parse(row[6]))),
  )

const orders = { "the author heals first": ["a", "d"], "another heals first": ["d", "a"] } as const

describe.each(Object.keys(deeds))("%s", (what) => {
  const deed = deeds[what] as (typeof deeds)[string]
  it.each(Object.keys(disguises).flatMap((disguise) => Object.keys(orders).map((order) => ({ disguise, order }))))(
    "$disguise, and $order",
    async ({ disguise, order }) => {
      const found = await world()
      const { a, b, c, d, save, there } = found
      const putBack = save()
      await deed.do(found)
      // A machine that is revoked by it hears so.
      for (const one of [a, d, c, b]) await sync(one).catch(() => undefined)
      expect(await deed.holds(d)).toBe(true)
      const row = eventsOf(a.path).at(-1) as EventRow
      putBack()
      slipIn(there(), (disguises[disguise] as (typeof disguises)[string])(row, found))
      const stops: Array<string> = []
      for (const name of [...orders[order as keyof typeof orders], ...orders[order as keyof typeof orders]]) {
        const done = await heal(found[name])
        if (Either.isLeft(done)) {
          expect(done.left).toMatchObject({ reason: "damaged" })
          stops.push(name)
        }
        const isKept = (await deed.holds(found[name])) || (what === "a server" && (await isTold(found[name], row)))
        expect({ name, isKept, stops }).toMatchObject({ isKept: true })
      }
      if (what === "a revocation" && disguise === "the refusal of it by whom it is about") {
        // What the revoked machine wrote there nobody puts before its revocation: the way out is an empty database.
        expect(stops).toEqual([...orders[order as keyof typeof orders], ...orders[order as keyof typeof orders]])
        for (const one of [a, b, c, d]) await one.close()
        return
      }
      // What its own machine has written again nobody tells as refused.
      if (order === "the author heals first" && !disguise.includes("refusal"))
        for (const one of [a, d]) expect((await rejected(one)).filter(({ status }) => status === "open")).toEqual([])
      // Its own machine leads out in any case, and after it all go on.
      expect(stops).not.toContain("a")
      for (const one of [a, d, b, a]) await give(one, (r) => r.servers.add({ name: `after-${one.name}` }))
      for (const one of [a, d, b, a, d]) await one.run(Effect.flatMap(Sync, (service) => Effect.either(service.heal())))
      for (const one of [d, b]) {
        expect(eventsOf(one.path)).toEqual(eventsOf(a.path))
        expect(rowsHash(one.path)).toBe(rowsHash(a.path))
      }
      expect(await status(a)).toMatchObject({ breaks: [], pending: 0, lastError: null })
      expect((await verify(a)).findings.filter(({ kind }) => kind !== "inert")).toEqual([])
      for (const one of [a, b, c, d]) await one.close()
    },
  )
})

it("nor does what an admin decided go with the id of its enrolment", async () => {
  const found = await world()
  const { a, b, c, d, remote, save, there } = found
  const x = machine("x", remote)
  const putBack = save()
  const code = await invite(a)
  await sync(a)
  await x.run(Effect.flatMap(Sync, (service) => service.now({ invite: code })))
  await a.run(enrol(signerOf(x), "admin"))
  await sync(a)
  await sync(x)
  await machines(x, (service) => service.revoke(signerOf(c).id))
  for (const one of [x, a, d, b]) await sync(one)
  for (const row of eventsOf(d.path)
    .filter(({ 4: type }) => /^(EnrolmentRequested|MachineEnrolled)$/.test(type))
    .slice(-2)) {
    putBack()
    slipIn(there(), unsigned([draft({ id: row[1] })]))
    expect(await heal(d)).toMatchObject({ _tag: "Left", left: { reason: "damaged" } })
    expect((await member(d, "c"))?.status).toBe("revoked")
  }
  for (const one of [a, x, d, b]) await heal(one)
  for (const one of [a, x, d, b]) expect((await member(one, "c"))?.status).toBe("revoked")
  for (const one of [x, d, b]) expect(eventsOf(one.path)).toEqual(eventsOf(a.path))
  for (const one of [a, x, d, b]) expect((await status(one)).breaks).toEqual([])
  for (const one of [a, b, c, d, x]) await one.close()
})

/** A probe's word on the one service that there is. */
const checked = Effect.gen(function* () {
  const commands = yield* Commands
  const [row] = yield* (yield* ReadModels).services.list()
  const { id, serverId } = row as NonNullable<typeof row>
  const found = { service: "shop", server: "gold", serverId, status: "unhealthy", previous: "unknown" } as const
  yield* commands.record(Service.entity.aggregate, id, [
    Service.HealthChecked({ ...found, detail: "refused", latency: null, at: "2026-01-01T00:00:00.000Z" }),
  ])
})

it("what has happened is not undone by a member who says that it was refused", async () => {
  const found = await world()
  const { a, b, c, d, remote, save, there } = found
  await give(a, (r) => r.servers.add({ name: "gold" }))
  await give(a, (r) => r.services.add({ server: "gold", name: "shop", type: "app" }))
  for (const one of [a, b, d]) await sync(one)
  const putBack = save()
  // By a machine that comes only then, so that it is put back with its own enrolment.
  const e = machine("e", remote)
  const code = await invite(a)
  await sync(a)
  await e.run(Effect.flatMap(Sync, (service) => service.now({ invite: code })))
  await e.run(checked)
  await sync(e)
  for (const one of [a, b, d]) await sync(one)
  const row = eventsOf(a.path).at(-1) as EventRow
  putBack()
  slipIn(there(), refusalBy(b, found, row, JSON.parse(row[6])))
  for (const one of [d, a, d, b]) expect(await heal(one)).toMatchObject({ _tag: "Right" })
  for (const one of [a, b, d]) expect(eventsOf(one.path).map(({ 1: id }) => id)).toContain(row[1])
  for (const one of [a, b, c, d, e]) await one.close()
})

it("nor does a member become the root by the id of the one that all accepted", async () => {
  const { a, b, c, d, save, there } = await fleet("a", "b", "c", "d")
  for (const one of [a, b, c, d]) withNoise(one.path)
  const putBack = save()
  const { hash, position } = withSqlite(a.path, (file) => file.prepare("SELECT position, hash FROM events ORDER BY position DESC").get()) // biome-ignore format: one line
  await machines(c, (service) => service.beginRoot(true))
  for (const one of [c, b, d]) await sync(one)
  for (const one of [b, d]) await trust(one, c)
  for (const one of [c, b, d]) await sync(one)
  const id = eventsOf(c.path).find(({ 4: type }, at) => type === "RootEstablished" && at > 0)?.[1] as string
  putBack()
  const own = signerOf(b)
  const body = {
    machineId: own.id,
    name: "b",
    publicKey: own.publicKey,
    cutoff: { position, hash },
    machines: [],
    roots: [],
  }
  slipIn(there(), signed([draft({ id, stream: machinesStream, type: "RootEstablished", schema: 2, body })], own, id))
  for (const one of [d, c, d]) {
    await heal(one)
    expect((await list(one)).machines.find(({ root }) => root)?.name).toBe("c")
  }
  for (const one of [a, b, c, d]) await one.close()
})
