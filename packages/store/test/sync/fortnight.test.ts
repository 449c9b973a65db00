import { Commands } from "@context-engine/core/Commands"
import * as Service from "@context-engine/core/domain/Service"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { decode } from "../../src/record.js"
import { remoteLog } from "../../src/sync/http.js"
import { eventsOf, type Machine, machine, rowsHash, status, sync, verify } from "../support/machines.js"
import { type Random, randomFrom, seedOf } from "../support/random.js"
import { startSqld } from "../support/sqld.js"
import { lastWriterWins } from "./lastWriterWins.js"

type Given = Effect.Effect<unknown, unknown, Registry | Commands | ReadModels>
const r = <A>(use: (registry: Registry["Type"]) => Effect.Effect<A, unknown>) => Effect.flatMap(Registry, use)

const deploy = (name: string, version: string) =>
  Effect.gen(function* () {
    const commands = yield* Commands
    const { id, serverId } = yield* r((registry) => registry.services.get(name))
    const named = { service: name, server: "s", serverId, deploymentId: `deploy-${version}`, version }
    const at = "2026-01-01T00:00:00.000Z"
    yield* commands.record(Service.entity.aggregate, id, [
      Service.DeploymentStarted({
        ...named,
        previousVersion: null,
        deployedBy: "ada",
        method: "manual",
        notes: null,
        at,
      }),
      Service.DeploymentSucceeded({ ...named, duration: 1, logs: "", at, verified: true }),
    ])
  })

/** One command about what both machines have: what people do to the same things while they cannot see each other. */
const shared = (random: Random, who: string, turn: number): Given => {
  const server = `s${random.below(10)}`
  const service = `s${random.below(10)}/api`
  const value = `${who}${turn}`
  const choices: ReadonlyArray<() => Given> = [
    () => r(({ servers }) => servers.add({ name: `new${random.below(20)}` })),
    () => r(({ servers }) => servers.rename(server, `renamed${random.below(10)}`)),
    () => r(({ servers }) => servers.remove(server, { cascade: true })),
    () => r(({ servers }) => servers.update(server, { notes: value })),
    () =>
      r(({ servers }) => servers.update(server, who === "a" ? { os: value } : { hostname: `${value}.example.com` })),
    () => r(({ services }) => services.update(service, { notes: value })),
    () => r(({ dependencies }) => dependencies.add({ service, on: `s${random.below(10)}/db` })),
    () => r(({ services }) => services.remove(`s${random.below(10)}/db`, { cascade: true })),
    () => r(({ routes }) => routes.add({ domain: `d${random.below(20)}.example.com`, service })),
    () => deploy(service, value),
    () => deploy(service, value),
  ]
  return (random.pick(choices) as () => Given)()
}

/** One about what only this machine has. */
const own = (random: Random, who: string, turn: number): Given =>
  turn < 10 || random.next() < 0.4
    ? r(({ servers }) => servers.add({ name: `${who}-${turn}` }))
    : r(({ servers }) => servers.update(`${who}-${random.below(10)}`, { notes: `${turn}` }))

/** Two hundred commands, all of them acknowledged. */
const work = async (machine: Machine, random: Random) => {
  for (let turn = 0; turn < 200; ) {
    const command =
      turn >= 10 && random.next() < 1 / 3 ? shared(random, machine.name, turn) : own(random, machine.name, turn)
    const done = await machine.run(Effect.either(command))
    if (done._tag === "Right") turn += 1
  }
}

it("two machines work alone for a fortnight, 200 commands each, and come together with nothing lost", async () => {
  const random = randomFrom(seedOf("fortnight"))
  const sqld = await startSqld()
  const machines = ["a", "b", "c"].map((name) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() })))
  const [a, b, c] = machines as [Machine, Machine, Machine]
  for (let i = 0; i < 10; i++) {
    await c.run(r(({ servers }) => servers.add({ name: `s${i}` })))
    await c.run(r(({ services }) => services.add({ name: "api", server: `s${i}` })))
    await c.run(r(({ services }) => services.add({ name: "db", server: `s${i}` })))
  }
  for (const one of [c, a, b]) await sync(one)
  const base = eventsOf(c.path)
  await work(a, random)
  await work(b, random)
  const given = [a, b].map((one) => eventsOf(one.path).slice(base.length))
  const silently = lastWriterWins(base.map(decode), given.map((rows) => rows.map(decode)) as any)

  const first = await sync(a)
  const second = await sync(b)
  for (const one of [c, a]) await sync(one)
  for (const one of machines) {
    expect(eventsOf(one.path)).toEqual(eventsOf(c.path))
    expect(rowsHash(one.path)).toBe(rowsHash(c.path))
    expect(await verify(one)).toMatchObject({ ok: true, findings: [], unsigned: 0 })
  }

  const log = eventsOf(c.path)
  const inLog = new Set(log.map((row) => row[1]))
  const told = log.filter((row) => row[4] === "CommandRejected").map((row) => JSON.parse(row[6]))
  const inRejection = new Map(told.flatMap(({ events, reason }) => events.map((one: any) => [one.id, reason])))
  const acknowledged = given.flat().map((row) => row[1])
  expect(acknowledged.filter((id) => !inLog.has(id) && !inRejection.has(id))).toEqual([])
  expect(acknowledged.filter((id) => inLog.has(id) && inRejection.has(id))).toEqual([])
  expect(inLog.size).toBe(log.length)
  const facts = given.flat().filter((row) => /^Deployment/.test(row[4]))
  expect(facts.filter((row) => !inLog.has(row[1]))).toEqual([])
  const rejected = await c.run(Effect.flatMap(ReadModels, (models) => models.rejections.list()))
  expect(rejected.length).toBe(told.length)
  expect(rejected.every(({ reason, what }) => reason.length > 10 && what.length > 5)).toBe(true)
  const refused = told.filter(({ outcome }) => outcome === "refused").length
  expect(first.rejected).toEqual([])
  expect(second.rejected.length).toBe(told.length)
  expect((await status(c)).rejected).toBe(refused)
  expect(refused).toBeGreaterThan(0)
  // The same work on rows of which the later wins loses some of it, and tells nobody.
  expect(silently.overwritten + silently.displaced + silently.resurrected).toBeGreaterThan(0)
  console.log(
    `fortnight: ${acknowledged.length} events in 400 commands, ${facts.length} of them facts; 0 lost, 0 doubled; ${refused} commands refused and ${told.length - refused} with nothing left to do, all told; put together in ${(second.duration * 1000).toFixed(0)} ms. Last writer wins, silently: ${JSON.stringify(silently)}`,
  )
  for (const one of machines) await one.close()
  await sqld.close()
}, 240_000)
