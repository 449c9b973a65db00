/** A clock that is put right, falls back, or starts anew: how wrong it was says nothing of what it is now. */

import { Registry } from "@context-engine/core/services/Registry"
import { syncAlerts } from "@context-engine/core/services/sync/alerts"
import * as Effect from "effect/Effect"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { Database } from "../src/Database.js"
import { sync as syncCheck } from "../src/doctor/sync.js"
import { ownerOf } from "../src/sync/config.js"
import { beginLog, eventsOf, give, type Machine, machine, status, sync } from "./support/machines.js"
import { sharedBy } from "./support/rightClock.js"

const [second, minute, day] = [1_000, 60_000, 86_400_000]

/** The right time, and how long the machine runs; its clock differs from the first by `wrong`. */
const world = vi.hoisted(() => ({ time: 0, runs: 0 }))
vi.mock("node:os", async (original) => ({
  ...(await original<typeof import("node:os")>()),
  uptime: () => world.runs / 1000,
}))

const iso = (at: number) => new Date(at).toISOString()

/** A while later, by a clock that is wrong by so much. */
const later = (wrong: number, pause = minute) => {
  world.time += pause
  world.runs += pause
  vi.setSystemTime(world.time + wrong)
}

beforeEach(() => {
  world.time = Date.UTC(2026, 9, 1, 10)
  world.runs = 3 * day
  vi.useFakeTimers({ toFake: ["Date"] })
  later(0)
})
afterEach(() => {
  vi.useRealTimers()
})

const shared = () => sharedBy(() => world.time)

const begun = async () => {
  const remote = shared()
  const [one, other] = [machine("one", remote), machine("other", remote)]
  await beginLog(one, other)
  await give(one, (r) => r.servers.add({ name: "alpha" }))
  for (const each of [one, other]) await sync(each)
  return { one, other }
}

const note = (of: Machine, notes: string) => give(of, (r) => r.servers.update("alpha", { notes }))
const statedAt = (of: Machine, position: number) => eventsOf(of.path)[position - 1]?.[8]

/** What is said of clocks: by `alert`, by `doctor`, and in the timeline. */
const told = async (of: Machine) => {
  const found = await status(of)
  const alerts = syncAlerts(found, Date.now()).filter(({ message }) => message.includes("clock"))
  const env = { TURSO_URL: "http://127.0.0.1:9" }
  const options = { database: of.path, env, file: "/nowhere", mode: "synced", owner: ownerOf(of.path, of.path) }
  const findings = await Effect.runPromise(syncCheck(options).look)
  const rows = await of.run(Effect.flatMap(Registry, ({ timeline }) => timeline.list({ limit: 100 })))
  return {
    alerts: alerts.map(({ message }) => message),
    doctor: findings.filter(({ check }) => check === "clock").map(({ found }) => found),
    timeline: rows.flatMap((row) => (row.statedAt === undefined ? [] : [row.statedAt])),
    skew: found.skew,
  }
}
const nothing = { alerts: [], doctor: [], timeline: [], skew: null }

describe("a clock that was wrong when the shared log was met, and is put right", () => {
  it.each([
    ["behind", -day],
    ["two days ahead", 2 * day],
  ])("%s: what is written then is stamped as the clock says, and nobody is told off for it", async (_, wrong) => {
    const { one, other } = await begun()
    later(wrong)
    await sync(one)
    expect((await told(one)).alerts).toEqual([expect.stringContaining(wrong < 0 ? "behind" : "ahead")])
    later(0)
    // Before the shared log is met again nobody knows how right it is.
    expect(await told(one)).toEqual(nothing)
    await note(one, "clock right again")
    expect(statedAt(one, 3)).toBe(iso(world.time))
    for (const each of [one, other]) await sync(each)
    for (const each of [one, other]) expect(await told(each)).toEqual({ ...nothing, skew: 0 })
  })

  it("names what was written under the wrong clock, and not what came after it", async () => {
    const { one, other } = await begun()
    later(day)
    await note(one, "a day ahead")
    await sync(one)
    const wrongly = iso(world.time + day)
    later(0)
    await note(one, "right again")
    for (const each of [one, other]) await sync(each)
    const { alerts, doctor, timeline } = await told(one)
    expect(alerts).toEqual([expect.stringMatching(/wrong when it wrote position 3: 86400 s ahead/)])
    expect(doctor).toEqual([expect.stringMatching(/position 3;/)])
    expect(timeline).toEqual([wrongly])
    expect((await told(other)).timeline).toEqual([wrongly])
  })
})

describe("how wrong a clock is", () => {
  it("stays known while nobody sets it, however long the machine is offline", async () => {
    const { one } = await begun()
    later(-day)
    await sync(one)
    later(-day + 2 * second, 9 * day)
    await note(one, "nine days later")
    expect(Math.abs(Date.parse(statedAt(one, 3) as string) - world.time)).toBeLessThanOrEqual(2 * second)
  })

  it("is not known after a start: a clock without a battery begins anywhere, and others are set then", async () => {
    const { one } = await begun()
    later(-day)
    await sync(one)
    world.runs = 0
    later(-day)
    expect((await status(one)).skew).toBe(null)
    // One that counts from 1970 at each start seems never to have been set.
    later(-world.time)
    world.runs = 20 * minute
    vi.setSystemTime(20 * minute)
    await sync(one)
    world.runs = minute
    vi.setSystemTime(minute)
    expect((await status(one)).skew).toBe(null)
  })

  it("is not known where an older version measured it", async () => {
    const { one } = await begun()
    later(-day)
    await sync(one)
    const forget = Effect.flatMap(Database, (database) =>
      database.write((c) => c.exec("UPDATE sync SET measured_at = NULL, started_at = NULL")),
    )
    await one.run(forget)
    expect((await status(one)).skew).toBe(null)
  })

  it("offline, a clock that falls back says nothing of what was written before", async () => {
    const { one } = await begun()
    later(0)
    await note(one, "by a right clock")
    later(-day)
    const { alerts, doctor, skew } = await told(one)
    expect({ alerts, doctor, skew }).toEqual({ alerts: [], doctor: [], skew: null })
  })
})
