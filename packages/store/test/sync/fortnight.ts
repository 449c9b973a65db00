/** Two machines that work alone for a fortnight, 200 commands each, and come together; and what was made of that work. */

import { Commands } from "@context-engine/core/Commands"
import * as Service from "@context-engine/core/domain/Service"
import { ReadModels } from "@context-engine/core/ReadModels"
import type { AuditReport } from "@context-engine/core/services/Audit"
import { Registry } from "@context-engine/core/services/Registry"
import type { SyncReport } from "@context-engine/core/services/Sync"
import type { RejectionRow } from "@context-engine/core/views/rejections"
import * as Effect from "effect/Effect"
import { decode, type EventRow } from "../../src/record.js"
import { remoteLog } from "../../src/sync/http.js"
import { beginLog, eventsOf, type Machine, machine, rowsHash, status, sync, verify } from "../support/machines.js"
import { type Random, randomFrom } from "../support/random.js"
import { startSqld } from "../support/sqld.js"
import { type Lost, lastWriterWins } from "./lastWriterWins.js"

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

export interface Fortnight {
  /** The events of both machines, as they were before they met. */
  readonly given: ReadonlyArray<EventRow>
  /** The log of each of three machines afterwards, with a hash of its rows, and what an audit finds. */
  readonly machines: ReadonlyArray<{
    readonly log: ReadonlyArray<EventRow>
    readonly rows: string
    readonly audit: AuditReport
  }>
  readonly rejections: ReadonlyArray<RejectionRow>
  readonly open: number
  /** How the first and the second of them came together with the shared log. */
  readonly reports: readonly [SyncReport, SyncReport]
  /** What becomes of the same work where whole rows are exchanged and the later one wins. */
  readonly lastWriterWins: Lost
}

export const fortnight = async (seed: number): Promise<Fortnight> => {
  const random = randomFrom(seed)
  const sqld = await startSqld()
  const machines = ["a", "b", "c"].map((name) => machine(name, remoteLog({ url: sqld.url, token: sqld.token() })))
  const [a, b, c] = machines as [Machine, Machine, Machine]
  await beginLog(c, a, b)
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

  const reports = [await sync(a), await sync(b)] as const
  for (const one of [c, a]) await sync(one)
  const found = []
  for (const one of machines)
    found.push({ log: eventsOf(one.path), rows: rowsHash(one.path), audit: await verify(one) })
  const rejections = await c.run(Effect.flatMap(ReadModels, (models) => models.rejections.list()))
  const open = (await status(c)).rejected
  for (const one of machines) await one.close()
  await sqld.close()
  return { given: given.flat(), machines: found, rejections, open, reports, lastWriterWins: silently }
}
