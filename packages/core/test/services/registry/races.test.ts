/** Whoever refers to a thing and whoever takes it away at the same moment: nothing that is left refers to nothing. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Commands } from "../../../src/Commands.js"
import type { SshConfig } from "../../../src/domain/Server.js"
import { EventLog } from "../../../src/EventLog.js"
import { ReadModels } from "../../../src/ReadModels.js"
import * as Local from "../../../src/Remote/Local.js"
import type { ImportFinding } from "../../../src/services/importer/servers.js"
import * as Services from "../../../src/services/layer.js"
import { Registry } from "../../../src/services/Registry.js"
import { Scanner } from "../../../src/services/Scanner.js"
import { ServerImport } from "../../../src/services/ServerImport.js"
import type { Finding } from "../../../src/services/scanner/finding.js"
import { kinds } from "../../../src/services/sync/entities.js"
import { layerMemory } from "../../../src/testing/memory.js"
import type { World } from "../../support/world.js"

type Command = Effect.Effect<unknown, unknown, World>

const registry = (use: (registry: Registry["Type"]) => Effect.Effect<unknown, unknown>): Command =>
  Effect.flatMap(Registry, use)

const through = (jumpHost: string): { readonly sshConfig: SshConfig } => ({
  sshConfig: { user: null, port: 22, keyPath: null, jumpHost },
})

const finding = (proposal: Finding["proposal"], id: string = proposal._tag): Finding => ({
  id,
  kind: "service",
  change: "new",
  name: id,
  fields: [],
  confidence: 1,
  evidence: [],
  proposal,
})

const imported = (name: string, jumpHost: string | null): ImportFinding => ({
  host: name,
  aliases: [],
  change: "new",
  name,
  candidate: { name, hostname: null, ipAddresses: ["10.0.0.9"], sshConfig: { ...through("").sshConfig, jumpHost } },
  fields: [],
})

const importing = (...findings: ReadonlyArray<ImportFinding>): Command =>
  Effect.flatMap(ServerImport, (service) => service.apply(findings))

/** Applies findings of a scan of `alpha`; they are made from the ids of the rows there are. */
const scanning = (
  findings: (idOf: (name: string) => string) => ReadonlyArray<Finding>,
  server = "alpha",
): Effect.Effect<{ readonly skipped: ReadonlyArray<unknown> }, unknown, World> =>
  Effect.gen(function* () {
    const models = yield* ReadModels
    const rows = [...(yield* models.services.list()), ...(yield* models.routes.list())]
    const named = (name: string) => rows.find((row) => ("domain" in row ? row.domain : row.name) === name)?.id ?? "gone"
    return yield* (yield* Scanner).apply(server, findings(named))
  })

/** Servers alpha with api and victim, and beta with web; gate, which nothing needs yet; a route to api, and one to victim. */
const fleet = registry((r) =>
  Effect.gen(function* () {
    for (const name of ["alpha", "beta", "gate"]) yield* r.servers.add({ name, ipAddresses: ["10.0.0.1"] })
    yield* r.services.add({ name: "api", server: "alpha" })
    yield* r.services.add({ name: "victim", server: "alpha" })
    yield* r.services.add({ name: "web", server: "beta" })
    yield* r.routes.add({ domain: "api.example.com", service: "api" })
  }),
)

const toVictim = { domain: "new.example.com", path: "/", proxyType: null, ssl: null }

/** What refers to gate, or to alpha/victim. */
const referring: Readonly<Record<string, Command>> = {
  "a server that jumps through it": registry((r) => r.servers.add({ name: "behind", ...through("gate") })),
  "a server that now jumps through it": registry((r) => r.servers.update("beta", through("gate"))),
  "imported servers that jump through it": importing(imported("first", null), imported("second", "gate")),
  "a service on it": registry((r) => r.services.add({ name: "new", server: "gate" })),
  "a service that moves to it": registry((r) => r.services.update("web", { server: "gate" })),
  "a secret of the server": registry((r) => r.secrets.add({ name: "KEY", server: "gate" })),
  "a timeline entry": registry((r) => r.timeline.add({ title: "seen", server: "gate", service: "victim" })),
  "a service found by a scan": scanning(() => [finding({ _tag: "AddService", name: "found", fields: {} })], "gate"),
  "a route to it": registry((r) => r.routes.add({ domain: "x.example.com", service: "victim" })),
  "a route that now leads to it": registry((r) => r.routes.update({ domain: "api.example.com" }, { service: "victim" })),
  "a dependency on it": registry((r) => r.dependencies.add({ service: "api", on: "victim" })),
  "a dependency of it": registry((r) => r.dependencies.add({ service: "victim", on: "api" })),
  "a secret of the service": registry((r) => r.secrets.add({ name: "KEY", service: "victim" })),
  "a route found by a scan": scanning((id) => [finding({ _tag: "AddRoute", route: toVictim, to: { _tag: "Row", serviceId: id("victim") } })]),
  "a route that a scan finds leading to it": scanning((id) => [finding({ _tag: "UpdateRoute", routeId: id("api.example.com"), fields: {}, to: { _tag: "Row", serviceId: id("victim") } })]),
  "a dependency found by a scan": scanning((id) => [finding({ _tag: "AddDependency", from: { _tag: "Row", serviceId: id("api") }, on: { _tag: "Row", serviceId: id("victim") }, type: "api", required: true })]),
} // biome-ignore format: a table

/** What takes gate, alpha/victim or its server away, or gives it another name. */
const removing: Readonly<Record<string, Command>> = {
  "the server is removed": registry((r) => r.servers.remove("gate")),
  "the server is removed with all that hangs on it": registry((r) => r.servers.remove("gate", { cascade: true })),
  "the server is renamed": registry((r) => r.servers.rename("gate", "door")),
  "the service is removed": registry((r) => r.services.remove("victim")),
  "the service is removed with all that hangs on it": registry((r) => r.services.remove("victim", { cascade: true })),
  "the service is renamed": registry((r) => r.services.rename("victim", "other")),
  "the service goes with its server": registry((r) => r.servers.remove("alpha", { cascade: true })),
  "a scan removes the service": scanning((id) => [finding({ _tag: "RemoveService", serviceId: id("victim") })]),
}

/** Rows that refer to what is not there, in words. */
const dangling = Effect.gen(function* () {
  const models = yield* ReadModels
  const rows = {
    servers: yield* models.servers.list(),
    services: yield* models.services.list(),
    routes: yield* models.routes.list(),
    dependencies: yield* models.dependencies.list(),
    secrets: yield* models.secrets.list(),
  }
  const rowsOf = (view: { readonly name: string }): ReadonlyArray<any> => rows[view.name as keyof typeof rows] ?? []
  const missing = kinds.flatMap((kind) =>
    rowsOf(kind.view).flatMap((row) =>
      kind.references
        .filter(({ field, to }) => (row[field] ?? null) !== null && !rowsOf(to).some(({ id }) => id === row[field]))
        .map(({ field }) => `${kind.noun} ${kind.label(row)}: ${field}`),
    ),
  )
  const names = new Set(rows.servers.map(({ name }) => name))
  const lost = rows.servers.filter(({ sshConfig }) => sshConfig?.jumpHost && !names.has(sshConfig.jumpHost))
  return [...missing, ...lost.map(({ name, sshConfig }) => `server ${name} jumps through ${sshConfig?.jumpHost}`)]
})

/** Runs a story in a world where `between` runs once, when all is decided and nothing is appended yet. */
const interleaved = (first: Command, between: Command) => {
  let waiting: Effect.Effect<unknown> | undefined
  const log = Layer.effect(
    EventLog,
    Effect.map(EventLog, (inner) =>
      EventLog.of({
        ...inner,
        append: (appends, options) =>
          Effect.suspend(() => {
            const now = waiting ?? Effect.void
            waiting = undefined
            return Effect.zipRight(now, inner.append(appends, options))
          }),
      }),
    ),
  )
  // The log in memory has commands of its own, which would be taken for these.
  const store = Layer.fresh(Commands.layer).pipe(Layer.provideMerge(log), Layer.provideMerge(layerMemory()))
  const world = Layer.provideMerge(Services.layer, Layer.merge(store, Local.layer))
  const story = Effect.gen(function* () {
    yield* fleet
    const runtime = yield* Effect.context<World>()
    let other = "not run"
    waiting = Effect.map(Effect.either(Effect.provide(between, runtime)), (result) => {
      other = result._tag
    })
    const own = yield* Effect.either(first)
    return { own: own._tag, other, dangling: yield* dangling }
  })
  return Effect.runPromise(Effect.orDie(Effect.provide(story, world)))
}

const pairs = Object.keys(referring).flatMap((one) => Object.keys(removing).map((other) => [one, other] as const))

describe("at the same moment", () => {
  it.each(pairs)("%s, and %s", async (refers, removes) => {
    const one = referring[refers] as Command
    const other = removing[removes] as Command
    // Whoever comes between is first, and has nobody to lose to.
    expect(await interleaved(one, other)).toMatchObject({ other: "Right", dangling: [] })
    expect(await interleaved(other, one)).toMatchObject({ other: "Right", dangling: [] })
  })

  it("a change of a route that keeps its service, and the route moves and the service goes", async () => {
    const change = registry((r) => r.routes.update({ domain: "api.example.com" }, { ssl: "letsencrypt" }))
    const away = registry((r) =>
      Effect.zipRight(r.routes.update({ domain: "api.example.com" }, { service: "victim" }), r.services.remove("api")),
    )
    expect(await interleaved(change, away)).toEqual({ own: "Right", other: "Right", dangling: [] })
  })

  it("a change of a service that stays where it is, and the service moves and the server goes", async () => {
    const change = registry((r) => r.services.update("web", { port: 80 }))
    const away = registry((r) =>
      Effect.zipRight(r.services.update("web", { server: "alpha" }), r.servers.remove("beta")),
    )
    expect(await interleaved(change, away)).toEqual({ own: "Right", other: "Right", dangling: [] })
  })
})

describe("in one go", () => {
  const nobody: Command = Effect.void

  it("imported servers do not jump through one that cannot be taken", async () => {
    const broken = imported("first", null)
    const bad = { ...broken, candidate: { ...broken.candidate, ipAddresses: ["nonsense"] } }
    const all = importing(bad, imported("second", "first"), imported("third", "second"))
    expect(await interleaved(all, nobody)).toMatchObject({ own: "Right", dangling: [] })
  })

  it("a scan does not add to what it removes, and keeps a route that it leads elsewhere", async () => {
    const lead = registry((r) => r.routes.update({ domain: "api.example.com" }, { service: "victim" }))
    const scan = scanning((id) => [
      finding({ _tag: "RemoveService", serviceId: id("victim") }),
      finding({ _tag: "AddRoute", route: toVictim, to: { _tag: "Row", serviceId: id("victim") } }),
      finding({ _tag: "AddService", name: "next", fields: {} }),
      finding({ _tag: "UpdateRoute", routeId: id("api.example.com"), fields: {}, to: { _tag: "New", name: "next" } }),
    ])
    const story = Effect.gen(function* () {
      yield* lead
      const { skipped } = yield* scan
      const [route, ...more] = yield* (yield* Registry).routes.list()
      expect({ skipped: skipped.length, more, service: route?.service }).toEqual({
        skipped: 1,
        more: [],
        service: "next",
      })
    })
    expect(await interleaved(story, nobody)).toMatchObject({ own: "Right", dangling: [] })
  })
})
