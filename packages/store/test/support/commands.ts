/** Commands that people and probes give, over few names, so that those of several machines meet each other often. */
import { Commands } from "@context-engine/core/Commands"
import * as Service from "@context-engine/core/domain/Service"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import type { Random } from "./random.js"

type Given = Effect.Effect<unknown, unknown, Registry | Commands | ReadModels>

const health = (name: string) =>
  Effect.gen(function* () {
    const commands = yield* Commands
    const [row] = yield* (yield* ReadModels).services.list({ where: { name } })
    if (row === undefined) return
    yield* commands.record(Service.entity.aggregate, row.id, [
      Service.HealthChecked({ service: name, server: "s", serverId: row.serverId, status: "unhealthy", previous: "unknown", detail: "refused", latency: null, at: "2026-01-01T00:00:00.000Z" }), // biome-ignore format: one event
    ])
  })

const deploy = (name: string, at: string) =>
  Effect.gen(function* () {
    const commands = yield* Commands
    const [row] = yield* (yield* ReadModels).services.list({ where: { name } })
    if (row === undefined) return
    const named = { service: name, server: "s", serverId: row.serverId, deploymentId: `d-${name}-${at}`, version: at }
    yield* commands.record(Service.entity.aggregate, row.id, [
      Service.DeploymentStarted({ ...named, previousVersion: null, deployedBy: "ada", method: "manual", notes: null, at: "2026-01-01T00:00:00.000Z" }), // biome-ignore format: one event
    ])
    yield* commands.record(Service.entity.aggregate, row.id, [
      Service.DeploymentSucceeded({ ...named, duration: 1, logs: "", at: "2026-01-01T00:00:01.000Z", verified: false }),
    ])
  })

/** The names there are, as often as not; else any. */
const known = Effect.gen(function* () {
  const models = yield* ReadModels
  const servers = yield* models.servers.list()
  const services = yield* models.services.list()
  const nameOf = new Map(servers.map((row) => [row.id, row.name]))
  return { servers: servers.map((row) => row.name), placed: services.map((row) => `${nameOf.get(row.serverId)}/${row.name}`) } // biome-ignore format: one value
})

/** One command, of whatever kind: most decisions, some facts. `names` is how many names there are of each kind. */
export const anyCommand = (random: Random, names = 4): Given =>
  Effect.flatMap(known, (there) => {
    const r = <A>(use: (registry: Registry["Type"]) => Effect.Effect<A, unknown>) => Effect.flatMap(Registry, use)
    const one = (from: ReadonlyArray<string>, any: string) =>
      from.length > 0 && random.next() < 0.85 ? random.pick(from) : any
    const fresh = () => `s${random.below(names)}`
    const service = () => `a${random.below(names)}`
    const server = () => one(there.servers, fresh())
    const placed = () => one(there.placed, `${server()}/${service()}`)
    const last = () => placed().replace(/.*\//, "")
    const jump = () => ({ user: null, port: 22, keyPath: null, jumpHost: server() })
    const choices: ReadonlyArray<() => Given> = [
      () => r(({ servers }) => servers.add({ name: fresh() })),
      () => r(({ servers }) => servers.add({ name: fresh() })),
      () => r(({ servers }) => servers.rename(server(), fresh())),
      () => r(({ servers }) => servers.update(server(), { notes: `n${random.below(3)}` })),
      () => r(({ servers }) => servers.update(server(), { sshConfig: jump() })),
      () => r(({ servers }) => servers.remove(server(), { cascade: random.next() < 0.5 })),
      () => r(({ services }) => services.add({ name: service(), server: server() })),
      () => r(({ services }) => services.add({ name: service(), server: server() })),
      () => r(({ services }) => services.add({ name: service(), server: server() })),
      () => r(({ services }) => services.rename(placed(), service())),
      () => r(({ services }) => services.update(placed(), { server: server(), notes: `n${random.below(3)}` })),
      () => r(({ services }) => services.remove(placed(), { cascade: random.next() < 0.5 })),
      () => r(({ routes }) => routes.add({ domain: `x${random.below(names)}.example.com`, service: placed() })),
      () => r(({ routes }) => routes.remove({ domain: `x${random.below(names)}.example.com` })),
      () =>
        r(({ dependencies }) => dependencies.add({ service: placed(), on: placed(), required: random.next() < 0.7 })),
      () => r(({ secrets }) => secrets.add({ name: `KEY_${random.below(names)}`, service: placed() })),
      () => r(({ secrets }) => secrets.add({ name: `KEY_${random.below(names)}`, server: server() })),
      () => r(({ secrets }) => secrets.remove({ name: `KEY_${random.below(names)}` })),
      () => r(({ timeline }) => timeline.add({ title: `note ${random.below(names)}` })),
      () => health(last()),
      () => deploy(last(), `${random.below(1e9)}`),
    ]
    return (random.pick(choices) as () => Given)()
  })
