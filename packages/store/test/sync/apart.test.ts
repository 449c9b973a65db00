/**
 * Two machines look at the same hosts while they are apart. Who shares last comes last in the log; what was seen last is what stands,
 * on both, and on a file that is folded anew.
 */
import { Commands } from "@context-engine/core/Commands"
import { ServerChecked, entity as serverEntity } from "@context-engine/core/domain/Server"
import {
  DeploymentFailed,
  DeploymentStarted,
  DeploymentSucceeded,
  HealthChecked,
  ServiceActionEnded,
  entity as serviceEntity,
} from "@context-engine/core/domain/Service"
import type { Event } from "@context-engine/core/Event"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Alerts } from "@context-engine/core/services/Alerts"
import { Sync } from "@context-engine/core/services/Sync"
import type { ServerRow } from "@context-engine/core/views/servers"
import type { ServiceRow } from "@context-engine/core/views/services"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { fleet } from "../support/fleet.js"
import { give, type Machine, rowsHash, sync, verify } from "../support/machines.js"
import { randomFrom } from "../support/random.js"

/** A time of the day on which all of it happens: tomorrow, for nothing happens before what it follows. */
const tomorrow = Math.ceil(Date.now() / 86_400_000) * 86_400_000
const at = (time: string, days = 0) => new Date(Date.parse(`1970-01-01T${time}:00Z`) + tomorrow + days * 86_400_000).toISOString() // biome-ignore format: one line
const aYearLater = (time: string) => at(time, 365)

const serviceOf = (of: Machine) =>
  of.run(Effect.map(Effect.flatMap(ReadModels, (models) => models.services.list()), ([row]) => row as ServiceRow)) // biome-ignore format: one line
const serverOf = (of: Machine) =>
  of.run(Effect.map(Effect.flatMap(ReadModels, (models) => models.servers.list()), ([row]) => row as ServerRow)) // biome-ignore format: one line
/** What is told of hosts; of the clocks, which are set to tomorrow, more is told. */
const alertsOf = async (of: Machine) => {
  const all = await of.run(Effect.flatMap(Alerts, ({ list }) => list).pipe(Effect.provide(Alerts.layer)))
  return all.filter(({ kind }) => kind !== "sync")
}

/** Told as it is seen, by the clock of who tells it; `right` is the time where it is known what is wrong with that. */
const record = async (
  of: Machine,
  aggregate: { readonly name: string },
  id: string,
  event: Seen,
  right = event.data.at,
) => {
  const told = Effect.flatMap(Commands, (commands) => commands.record(aggregate, id, [event]))
  const clock = Object.assign(Clock.make(), { currentTimeMillis: Effect.succeed(Date.parse(right)) })
  await of.run(Effect.withClock(told, clock))
}
const ofService = async (of: Machine, make: (named: Named, row: ServiceRow) => Seen, right?: string) => {
  const row = await serviceOf(of)
  await record(of, serviceEntity.aggregate, row.id, make({ service: row.name, server: "web", serverId: row.serverId }, row), right)
} // biome-ignore format: one line
type Seen = Event<string, { readonly at: string }>
interface Named {
  readonly service: string
  readonly server: string
  readonly serverId: string
}

/** What a machine sees or does at a time. */
const checks = (of: Machine, status: "healthy" | "unhealthy", time: string, right?: string) =>
  ofService(
    of,
    (named, { healthStatus: previous }) =>
      HealthChecked({ ...named, status, previous, detail: `${status} at ${time}`, latency: null, at: time }),
    right,
  )
const looksAt = async (of: Machine, status: "online" | "offline", time: string) => {
  const { id, name: server, status: previous } = await serverOf(of)
  const event = ServerChecked({ server, status, previous, reason: null, os: null, resources: null, at: time })
  await record(of, serverEntity.aggregate, id, event)
}
const begins = (of: Machine, version: string, time: string) =>
  ofService(of, (named, { currentVersion: previousVersion }) =>
    DeploymentStarted({
      ...{ ...named, deploymentId: `d-${version}`, version, previousVersion, deployedBy: of.name },
      ...{ method: "manual", notes: null, at: time },
    }),
  )
const ends = (of: Machine, version: string, time: string, well = true) =>
  ofService(of, (named) => {
    const ended = { ...named, deploymentId: `d-${version}`, version, duration: 1, logs: "", at: time }
    return well
      ? DeploymentSucceeded({ ...ended, verified: true })
      : DeploymentFailed({ ...ended, reason: "it did not become healthy" })
  })
const deploys = async (of: Machine, version: string, from: string, until: string, well = true) => {
  await begins(of, version, from)
  await ends(of, version, until, well)
}
const stops = (of: Machine, time: string) =>
  ofService(of, (named) =>
    ServiceActionEnded({
      ...{ ...named, action: "stop", outcome: "done", reason: null, exitCode: 0, verified: false },
      ...{ forced: false, duration: 1, logs: "", at: time },
    }),
  )

/** Both have the server and its service, and then no link. */
const begin = async () => {
  const found = await fleet("alice", "bob")
  await give(found.alice, (r) => r.servers.add({ name: "web", ipAddresses: ["10.0.0.1"] }))
  await give(found.alice, (r) => r.services.add({ name: "app", server: "web", deployCommand: "true" }))
  await sync(found.alice)
  await sync(found.bob)
  return found
}

/** They share, the first first, and come to the same. */
const meet = async (first: Machine, second: Machine) => {
  for (const one of [first, second, first, second]) await sync(one)
  for (const one of [first, second]) expect(await verify(one)).toMatchObject({ ok: true, inert: 0 })
  expect(rowsHash(first.path)).toBe(rowsHash(second.path))
}

describe.each(["alice", "bob"] as const)("where %s shares first", (name) => {
  const both = async () => {
    const { alice, bob } = await begin()
    return { early: alice, late: bob, first: name === "alice" ? alice : bob, second: name === "alice" ? bob : alice }
  }

  it("the health that was seen last stands, and since when it is so", async () => {
    const { early, first, late, second } = await both()
    await checks(early, "healthy", at("10:00"))
    await checks(early, "healthy", at("10:04"))
    await checks(late, "unhealthy", at("10:05"))
    await meet(first, second)
    expect(await serviceOf(first)).toMatchObject({ healthStatus: "unhealthy", lastHealthCheck: at("10:05") })
    expect((await alertsOf(first)).map(({ kind, message }) => [kind, message])).toEqual([
      ["service", `unhealthy: unhealthy at ${at("10:05")}`],
    ])
  })

  it("whether a server answers is what was seen last", async () => {
    const { early, first, late, second } = await both()
    await looksAt(early, "online", at("10:00"))
    await looksAt(late, "offline", at("10:05"))
    await meet(first, second)
    expect(await serverOf(second)).toMatchObject({ status: "offline", lastChecked: at("10:05") })
  })

  it("the version is that of the deployment that began last", async () => {
    const { early, first, late, second } = await both()
    await deploys(early, "v1", at("10:00"), at("10:01"))
    await deploys(late, "v2", at("11:00"), at("11:01"), false)
    await meet(first, second)
    expect(await serviceOf(first)).toMatchObject({ currentVersion: "v2", lastDeployment: "failed", status: "failed" })
    expect((await alertsOf(second)).map(({ kind }) => kind)).toEqual(["deployment"])
  })

  it("what was stopped last is stopped, also where it was seen well before", async () => {
    const { early, first, late, second } = await both()
    await deploys(early, "v1", at("10:00"), at("10:01"))
    await checks(early, "healthy", at("10:02"))
    await stops(late, at("10:30"))
    await meet(first, second)
    expect(await serviceOf(first)).toMatchObject({ status: "stopped", healthStatus: "healthy", currentVersion: "v1" })
  })
})

it("a deployment that goes on while another began is not the last one when it ends", async () => {
  const { alice, bob } = await begin()
  await begins(alice, "v1", at("10:00"))
  await deploys(bob, "v2", at("10:01"), at("10:02"))
  await meet(bob, alice)
  await ends(alice, "v1", at("10:03"))
  await meet(alice, bob)
  expect(await serviceOf(bob)).toMatchObject({ currentVersion: "v2", lastDeployment: "success" })
})

it("a clock that is a year ahead decides no longer than until the machines have met", async () => {
  const { alice, bob } = await begin()
  await checks(alice, "unhealthy", aYearLater("10:00"))
  await deploys(alice, "v1", aYearLater("10:00"), aYearLater("10:01"))
  await checks(bob, "healthy", at("10:01"))
  await meet(alice, bob)
  expect(await serviceOf(alice)).toEqual(await serviceOf(bob))
  expect(await serviceOf(bob)).toMatchObject({ healthStatus: "unhealthy", currentVersion: "v1" })
  await checks(bob, "healthy", at("10:05"))
  await deploys(bob, "v2", at("10:06"), at("10:07"))
  await meet(bob, alice)
  const healthy = { healthStatus: "healthy", lastHealthCheck: at("10:05"), currentVersion: "v2" }
  expect(await serviceOf(alice)).toMatchObject(healthy)
  // Its own clock is put right, and it looks again: one machine looks one time after the other.
  await checks(alice, "unhealthy", at("10:08"))
  expect(await serviceOf(alice)).toMatchObject({ healthStatus: "unhealthy", lastHealthCheck: at("10:08") })
})

it("a machine that was disconnected meanwhile knows what it had", async () => {
  const { alice, bob } = await begin()
  await bob.run(Effect.flatMap(Sync, (service) => service.disconnect))
  await checks(bob, "unhealthy", at("10:00"))
  await checks(alice, "healthy", at("10:05"))
  await meet(alice, bob)
  expect(await serviceOf(bob)).toMatchObject({ healthStatus: "healthy", lastHealthCheck: at("10:05") })
})

it.each([
  ["ahead", 1],
  ["behind", -1],
])("a clock of which it is known that it is a day %s decides nothing", async (_, days) => {
  const { alice, bob } = await begin()
  await checks(alice, "unhealthy", at("10:00"))
  await checks(bob, "healthy", at("10:05", days), at("10:05"))
  await checks(alice, "unhealthy", at("10:06"))
  await meet(alice, bob)
  expect(await serviceOf(bob)).toMatchObject({ healthStatus: "unhealthy", lastHealthCheck: at("10:06") })
  await checks(alice, "unhealthy", at("10:07"))
  await checks(bob, "healthy", at("10:08", days), at("10:08"))
  await meet(bob, alice)
  expect(await serviceOf(alice)).toMatchObject({ healthStatus: "healthy" })
})

it("in whatever order they look and share, what was seen last stands", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { alice, bob } = await begin()
    const { below } = randomFrom(seed)
    let [looked, deployed]: Array<string | null> = [null, null]
    for (let minute = 10; minute < 34; minute++) {
      const one = below(2) === 0 ? alice : bob
      const [time, version] = [at(`10:${minute}`), `v${minute}`]
      const what = below(9)
      if (what < 3) await sync(one)
      else if (what < 5) await deploys(one, version, time, time)
      else await checks(one, below(2) === 0 ? "healthy" : "unhealthy", time)
      if (what >= 5) looked = time
      else if (what >= 3) deployed = version
    }
    await (below(2) === 0 ? meet(alice, bob) : meet(bob, alice))
    const { currentVersion, lastHealthCheck } = await serviceOf(alice)
    expect({ seed, lastHealthCheck, currentVersion }).toEqual({
      seed,
      lastHealthCheck: looked,
      currentVersion: deployed,
    })
  }
})
