/**
 * A unit speaks for one key and about one thing: whoever has a member's key may sign several events at once, and can name in the later
 * ones whom they like. None of it counts, on any machine.
 */
import {
  EnrolmentRequested,
  MachineEnrolled,
  MachineRevoked,
  machinesStream,
  RootEstablished,
} from "@context-engine/core/domain/Machine"
import { describe, expect, it } from "vitest"
import { make } from "../../src/sync/RemoteLog.js"
import type { Draft } from "../../src/trust/sealing.js"
import { withNoise } from "../support/audited.js"
import { fleet } from "../support/fleet.js"
import { draft, placed, resigned, rewritten, signed, slipIn, stranger } from "../support/forger.js"
import {
  add,
  attempt,
  type Machine,
  machine,
  machines,
  rowsHash,
  servers,
  signerOf,
  sync,
  verify,
} from "../support/machines.js"
import { makeSequencer } from "../support/sequencer.js"

const members = async (of: Machine) =>
  (await machines(of, (service) => service.list)).machines
    .filter(({ name }) => name !== "vm")
    .map(({ name, role, status }) => `${name} ${role} ${status}`)

type World = Awaited<ReturnType<typeof world>>
const world = async () => {
  const found = await fleet("a", "b", "thief")
  for (const one of [found.a, found.b, found.thief]) withNoise(one.path)
  await add(found.a, "alpha")
  for (const one of [found.a, found.b, found.thief]) await sync(one)
  return found
}

const about = (type: { readonly type: string; readonly schema: number }, body: unknown): Draft =>
  draft({ stream: machinesStream, type: type.type, schema: type.schema, body })

const friend = stranger("friend")
const itsKey = { machineId: friend.id, name: "friend", publicKey: friend.publicKey }

/** What the second event says. */
const second: Readonly<Record<string, (of: World) => Draft>> = {
  "enrols an admin": () => about(MachineEnrolled, { ...itsKey, role: "admin" }),
  "revokes a machine": ({ b }) => about(MachineRevoked, { machineId: signerOf(b).id, name: "b" }),
  "asks for a friend": () => about(EnrolmentRequested, { ...itsKey, invite: null }),
  "makes a root": ({ thief }) => {
    const { id, publicKey } = signerOf(thief)
    const cutoff = { position: 2, hash: "0".repeat(64) }
    return about(RootEstablished, { machineId: id, name: "thief", publicKey, cutoff, machines: [], roots: [] })
  },
  "says what only a newer version knows of members": () => about({ type: "MachineSplit", schema: 1 }, {}),
  "makes a server that is the admin's own machine": () => draft({ body: { ...JSON.parse(draft().data), local: true } }),
  "is of a type that only a newer version knows": () => draft({ type: "FutureThing", body: {} }),
}

/** Whose key the second event says, and whether it says which one of the unit it is. */
const ways = { "with the admin's key": true, "with its own key": false }

const forge = (of: World, later: Draft, asAdmin: boolean, numbered: boolean) => {
  const [own, admin] = [signerOf(of.thief), signerOf(of.a)]
  const rows = signed([draft(), later], own, of.rootId).map((row, at) => {
    const meta = JSON.parse(row[7])
    if (!numbered) delete meta.index
    return rewritten(row, { meta: JSON.stringify(at === 1 && asAdmin ? { ...meta, key: admin.id } : meta) })
  })
  slipIn(of.there(), placed(of.there(), resigned(rows, own, of.rootId)))
}

const isAboutMembers = (name: string) => !/server|FutureThing|type/.test(name)

describe.each(Object.entries(ways))("the second event of a unit, signed %s,", (_, asAdmin) => {
  const cases = Object.entries(second).filter(([name]) => asAdmin || isAboutMembers(name))
  it.each(cases.flatMap(([name, make]) => [true, false].map((numbered) => [name, numbered, make] as const)))(
    "%s (numbered: %s): neither of them counts",
    async (_, numbered, make) => {
      const of = await world()
      const before = await members(of.a)
      forge(of, make(of), asAdmin, numbered)
      await sync(of.b)
      await add(of.a, "beta")
      for (const one of [of.a, of.b]) await sync(one)
      const newcomer = machine("newcomer", of.remote)
      withNoise(newcomer.path)
      await attempt(newcomer)
      for (const one of [of.a, of.b]) {
        expect(await members(one)).toEqual(before)
        expect((await verify(one)).findings.map(({ kind, position }) => [kind, position])).toEqual([
          ["inert", 3],
          ["inert", 4],
        ])
        expect(rowsHash(one.path)).toBe(rowsHash(of.a.path))
      }
      for (const one of [of.a, of.b, newcomer]) expect(await servers(one)).toEqual(["alpha", "beta"])
      for (const one of [of.a, of.b, of.thief, newcomer]) await one.close()
    },
  )
})

it("in a log that nobody signs makes no root, and stops nobody", async () => {
  const sequencer = makeSequencer()
  const remote = make("memory", sequencer.batch)
  const [a, b] = [machine("a", remote, { signed: false }), machine("b", remote, { signed: false })]
  for (const one of [a, b]) withNoise(one.path)
  await add(a, "alpha")
  for (const one of [a, b]) await sync(one)
  const x = stranger("x")
  const [position, hash] = sequencer.connection.prepare("SELECT position, hash FROM events").get()
  const body = {
    machineId: x.id,
    name: "x",
    publicKey: x.publicKey,
    cutoff: { position, hash },
    machines: [],
    roots: [],
  }
  const root = about(RootEstablished, body)
  slipIn(sequencer.connection, placed(sequencer.connection, signed([draft(), root], x, root.id)))
  for (const one of [a, b]) await sync(one)
  await add(a, "beta")
  for (const one of [a, b]) await sync(one)
  for (const one of [a, b]) expect(await servers(one)).toEqual(["alpha", "beta"])
  for (const one of [a, b]) await one.close()
})
