/** Which past is shown: with clocks that are wrong, offline, before and after sharing, and by every way to ask. */
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as AsOf from "@context-engine/core/services/AsOf"
import { Audit } from "@context-engine/core/services/Audit"
import { History } from "@context-engine/core/services/History"
import { Registry } from "@context-engine/core/services/Registry"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { layer } from "../src/layer.js"
import * as SqlAudit from "../src/SqlAudit.js"
import { freshPath } from "./support/files.js"
import { give, type Machine, machine, status, sync } from "./support/machines.js"
import { randomFrom, seedOf } from "./support/random.js"
import { sharedBy } from "./support/rightClock.js"

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]
const year = 365 * day
const began = Date.UTC(2026, 9, 1, 10)

/** The right time of a story; machines have clocks that differ from it, and run since 1970. */
let time = began
vi.mock("node:os", async (original) => ({ ...(await original<typeof import("node:os")>()), uptime: () => time / 1000 }))
const iso = (at: number) => new Date(at).toISOString()

beforeEach(() => {
  time = began
  vi.useFakeTimers({ toFake: ["Date"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const shared = () => sharedBy(() => time)

/** Lets something happen on a machine whose clock is wrong by so much, a minute after what was before. */
const on = <A>(wrong: number, does: () => Promise<A>): Promise<A> => {
  time += minute
  vi.setSystemTime(time + wrong)
  return does()
}

const add = (of: Machine, name: string, wrong = 0) => on(wrong, () => give(of, (r) => r.servers.add({ name })))

const serversIn = Effect.flatMap(ReadModels, (models) =>
  Effect.map(models.servers.list(), (rows) => rows.map((row) => `${row.name} ${row.notes ?? ""}`.trim())),
)
const live = (of: Machine) => of.run(serversIn)
const at = (of: Machine, moment: string, by: AsOf.Clock = "happened") =>
  of.run(
    Effect.provide(serversIn, AsOf.layer(moment, { by })) as Effect.Effect<ReadonlyArray<string>, unknown, EventLog>,
  )

/** What a replay of that moment shows, which must hold. */
const replayed = async (of: Machine, moment: string): Promise<ReadonlyArray<string>> => {
  const into = freshPath()
  await of.run(Effect.flatMap(Audit, (audit) => audit.replay(moment, into)))
  const all = Layer.provideMerge(SqlAudit.layer, layer(into))
  const look = Effect.all([serversIn, Effect.flatMap(Audit, (audit) => audit.verify())])
  const [servers, { findings }] = await Effect.runPromise(Effect.provide(look, all))
  expect(findings).toEqual([])
  return servers
}

/** Which positions the timeline shows as of a moment, and since then. */
const timeline = (of: Machine, moment: string) =>
  of.run(
    Effect.flatMap(Registry, (registry) =>
      Effect.all({
        all: registry.timeline.list({ limit: 1000 }),
        since: registry.timeline.list({ limit: 1000, since: iso(Date.parse(moment) + 1) }),
      }),
    ),
  )

describe("--at, by when things happened", () => {
  it("shows what was done before the log was shared, on all machines, and diff says nothing else", async () => {
    const remote = shared()
    const [a, b] = [machine("a", remote, { signed: false }), machine("b", remote, { signed: false })]
    await add(a, "one")
    await add(a, "two")
    const before = iso(time)
    await on(0, () => sync(a))
    await on(0, () => sync(b))
    for (const one of [a, b]) {
      expect(await at(one, before)).toEqual(["one", "two"])
      expect(await at(one, before, "recorded")).toEqual([])
      const difference = Effect.flatMap(History, (history) => history.diff(before, "now"))
      expect((await one.run(Effect.provide(difference, History.layer))).changes).toEqual([])
    }
  })

  it("now is what is there, also after a command with the clock a year ahead", async () => {
    const alone = machine("alone", undefined)
    await add(alone, "one")
    await add(alone, "future", year)
    expect(await on(0, () => at(alone, "now"))).toEqual(["future", "one"])
    await add(alone, "two")
    const then = iso(time)
    expect(await on(0, () => at(alone, "now"))).toEqual(await live(alone))
    await add(alone, "three")
    expect(await at(alone, then)).toEqual(["future", "one", "two"])
    expect(await replayed(alone, then)).toEqual(["future", "one", "two"])
    expect((await status(alone)).wrongClocks).toMatchObject([{ own: true, ahead: year - 2 * minute }])
    // Nothing that was written later inherits it, not by the clock that counts either.
    expect(await at(alone, iso(time - minute), "recorded")).toEqual(["future", "one", "two"])
  })

  it.each([
    ["ahead", day],
    ["behind", -day],
    ["a year ahead", year],
  ])("a machine whose clock is %s, offline, agrees with the others and is told", async (_, wrong) => {
    const remote = shared()
    const [right, other] = [machine("right", remote, { signed: false }), machine("other", remote, { signed: false })]
    await add(right, "one")
    await on(0, () => sync(right))
    await on(wrong, () => sync(other))
    await add(other, "two", wrong)
    const then = iso(time)
    await add(right, "three")
    for (const one of [other, right, other]) await on(one === other ? wrong : 0, () => sync(one))
    vi.setSystemTime(time)
    expect(await at(right, then)).toEqual(["one", "two"])
    expect(await at(right, "now")).toEqual(["one", "three", "two"])
    vi.setSystemTime(time + wrong)
    expect(await at(other, then)).toEqual(["one", "two"])
    expect(await at(other, "now")).toEqual(await live(other))
  })

  it.each([
    ["behind", -day],
    ["ahead", day],
  ] as const)("the timeline tells when a thing happened, whatever a clock that was %s said", async (_, wrong) => {
    const one = machine("one", undefined)
    for (const name of ["first", "second"]) await add(one, name)
    await add(one, "wrong", wrong)
    const happened = time
    await add(one, "after")
    const [, row] = (await timeline(one, iso(began))).all
    expect(row).toMatchObject({ title: expect.stringContaining("wrong"), statedAt: iso(happened + wrong) })
    expect(Math.abs(Date.parse(row?.createdAt ?? "") - happened)).toBeLessThanOrEqual(minute)
    await one.close()
  })

  it("shows what was done offline in between, on all machines", async () => {
    const remote = shared()
    const machines = ["laptop", "server"].map((name) => machine(name, remote, { signed: false }))
    const [laptop, server] = machines as [Machine, Machine]
    await on(0, () => sync(laptop))
    await on(0, () => sync(server))
    await add(laptop, "at-ten")
    const between = iso(time + 30 * minute)
    time += hour
    await add(server, "at-eleven")
    for (const one of [server, laptop, server]) await on(0, () => sync(one))
    for (const one of machines) {
      expect(await at(one, between)).toEqual(["at-ten"])
      expect(await replayed(one, between)).toEqual(["at-ten"])
      const { all, since } = await timeline(one, between)
      expect([all.length, since.map(({ title }) => title)]).toEqual([2, [expect.stringContaining("at-eleven")]])
    }
  })

  it("shows what was done offline to a thing that another changed later and shared first, as it was before they shared", async () => {
    const remote = shared()
    const machines = ["laptop", "server"].map((name) => machine(name, remote, { signed: false }))
    const [laptop, server] = machines as [Machine, Machine]
    await add(laptop, "thing")
    for (const one of [laptop, server]) await on(0, () => sync(one))
    await on(0, () => give(laptop, (r) => r.servers.update("thing", { notes: "at ten" })))
    const between = iso(time + 30 * minute)
    time += hour
    await on(0, () => give(server, (r) => r.servers.update("thing", { tags: ["at-eleven"] })))
    const after = iso(time + minute)
    time += hour
    expect(await at(laptop, between)).toEqual(["thing at ten"])
    for (const one of [server, laptop, server]) await on(0, () => sync(one))
    const difference = Effect.flatMap(History, (history) => history.diff(between, after))
    for (const one of machines) {
      expect(await at(one, between)).toEqual(["thing at ten"])
      expect(await replayed(one, between)).toEqual(["thing at ten"])
      const { changes } = await one.run(Effect.provide(difference, History.layer))
      expect(changes.map(({ fields, view }) => [view, fields.map(({ field }) => field)])).toEqual([
        ["servers", ["tags"]],
      ])
    }
    // What is changed when both are known comes after both.
    await on(0, () => give(laptop, (r) => r.servers.update("thing", { notes: "at twelve" })))
    expect(await at(laptop, iso(time - minute))).toEqual(["thing at ten"])
    expect(await at(laptop, iso(time))).toEqual(["thing at twelve"])
  })

  it("a replay is no log to go on with", async () => {
    const remote = shared()
    const machines = ["laptop", "server"].map((name) => machine(name, remote, { signed: false }))
    const [laptop, server] = machines as [Machine, Machine]
    await on(0, () => sync(laptop))
    await add(laptop, "early")
    await add(laptop, "later")
    const then = iso(time - minute)
    await add(server, "first")
    await on(0, () => sync(server))
    await on(0, () => sync(laptop))
    // Also one that is simply the beginning of its log, or all of it.
    const lines = await laptop.run(Effect.flatMap(Audit, (audit) => Stream.runCollect(audit.export)))
    const moments = { [then]: then, "2": "position 2", "0": "position 0", now: iso(time) }
    for (const [moment, said] of Object.entries(moments)) {
      const into = freshPath()
      await laptop.run(Effect.flatMap(Audit, (audit) => audit.replay(moment, into)))
      const copy = machine("copy", remote, { path: into, signed: false })
      const before = await live(copy)
      const append = await give(copy, (r) => r.servers.add({ name: "more" }))
      expect(append, moment).toMatchObject({
        _tag: "Left",
        left: { message: expect.stringContaining(`as of ${said}`) },
      })
      const refusals = Effect.all([
        Effect.flip(Effect.flatMap(EventLog, (log) => log.ready)),
        Effect.flip(Effect.flatMap(Sync, (service) => service.contact)),
        Effect.flip(Effect.flatMap(Sync, (service) => service.now())),
        Effect.flip(Effect.flatMap(Sync, (service) => service.join())),
        Effect.flip(Effect.flatMap(Audit, (audit) => audit.import(Stream.fromIterable(lines)))),
      ])
      for (const { message } of await copy.run(refusals)) expect(message, moment).toContain(`as of ${said}`)
      expect(await live(copy)).toEqual(before)
    }
  })
})

/** Machines with random clocks, that work, and sometimes meet. Gives them at the end, when all have all. */
const story = async (seed: number) => {
  const random = randomFrom(seed)
  const remote = shared()
  const clocks = [0, 0, 0].map(() => random.pick([0, 0, day, -day, year, -year, 20_000]))
  const machines = clocks.map((_, n) => machine(`m${n}`, remote, { signed: false }))
  const names = ["a", "b", "c", "d", "e"]
  const rights = new Map<string, ReadonlyArray<string>>()
  for (let step = 0; step < 25; step++) {
    const n = random.below(machines.length)
    const one = machines[n] as Machine
    // Somebody sets it, or it runs away.
    if (random.next() < 0.1) clocks[n] = random.pick([0, day, -day, year])
    time += random.below(3) * hour
    const name = random.pick(names)
    await on(clocks[n] as number, () => {
      const what = random.next()
      if (what < 0.3) return one.run(Effect.flatMap(Sync, (service) => Effect.either(service.now())))
      if (what < 0.7) return give(one, (r) => r.servers.add({ name: `${name}${random.below(9)}` }))
      if (what < 0.9) return give(one, (r) => r.servers.update(`${name}${random.below(9)}`, { notes: `${step}` }))
      return give(one, (r) => r.servers.remove(`${name}${random.below(9)}`, { cascade: true }))
    })
    rights.set(iso(time), [])
  }
  for (const one of [...machines, ...machines]) await on(0, () => sync(one))
  vi.setSystemTime(time + minute)
  return { machines, moments: [...rights.keys()], random }
}

describe("with any clocks", () => {
  it("all ways to ask agree, and are the same on all machines", async () => {
    const seed = seedOf("times")
    for (let n = 0; n < 8; n++) {
      time = began
      const { machines, moments, random } = await story(seed + n)
      const asked = [random.pick(moments), random.pick(moments)].sort() as [string, string]
      const answers = await Promise.all(machines.map((one) => Promise.all(asked.map((moment) => at(one, moment)))))
      const first = answers[0] as ReadonlyArray<ReadonlyArray<string>>
      for (const answer of answers) expect(answer, `seed ${seed + n}`).toEqual(first)
      const one = random.pick(machines)
      for (const [index, moment] of asked.entries()) {
        const by = await Effect.runPromise(Effect.either(Effect.tryPromise(() => replayed(one, moment))))
        // Two machines that knew nothing of each other may have had things of one name: no table can hold that.
        if (by._tag === "Right") expect(by.right, `seed ${seed + n}`).toEqual(first[index])
        else expect(String(by.left.cause)).toContain("name a position")
        const { all, since } = await timeline(one, moment)
        const past = await one.run(
          Effect.provide(
            Effect.flatMap(ReadModels, (models) => models.infraEvents.list()),
            AsOf.layer(moment),
          ) as Effect.Effect<ReadonlyArray<{ readonly position: number }>, unknown, EventLog>,
        )
        const positions = [...past, ...since].map(({ position }) => position).sort((x, y) => x - y)
        expect(positions, `seed ${seed + n}`).toEqual(all.map(({ position }) => position).sort((x, y) => x - y))
      }
      const diff = await one.run(
        Effect.provide(
          Effect.flatMap(History, (history) => history.diff(...asked)),
          History.layer,
        ),
      )
      const changed = diff.changes.filter(({ view }) => view === "servers").map(({ name }) => name)
      const differing = [first[0], first[1]].map((rows) => new Set(rows)) as [Set<string>, Set<string>]
      for (const row of [...differing[0], ...differing[1]])
        if (differing[0].has(row) !== differing[1].has(row)) expect(changed).toContain(row.split(" ")[0])
      for (const machine of machines) {
        expect(await at(machine, "now")).toEqual(await live(machine))
        await machine.close()
      }
    }
  })
})
