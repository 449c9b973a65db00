/** A row folded as its event is written is the row folded from the stored event: whatever the command, in whatever order its fields came. */
import { Commands } from "@context-engine/core/Commands"
import * as Service from "@context-engine/core/domain/Service"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { auditOn } from "../src/auditOn.js"
import { Database } from "../src/Database.js"
import { layer } from "../src/layer.js"
import { serverAdded } from "./support/events.js"
import { freshPath, withSqlite } from "./support/files.js"
import { type Random, randomFrom } from "./support/random.js"

type Live = Registry | Commands | EventLog | ReadModels | Database

const live = (path: string) => Registry.layer.pipe(Layer.provideMerge(layer(path)))

const inLog = <A, E>(path: string, story: Effect.Effect<A, E, Live>) =>
  Effect.runPromise(Effect.provide(story, live(path)))

const problems = Effect.flatMap(Database, ({ dedicated }) =>
  Effect.scoped(
    Effect.map(Effect.flatMap(dedicated, auditOn), ({ walk }) => walk.findings.map(({ message }) => message)),
  ),
)

type Fields = Record<string, unknown>
type Change = (registry: Registry["Type"], fields: Fields) => Effect.Effect<unknown, { readonly message: string }>

const nested = { zeta: 1, alpha: { ten: 10, "9": 9, "10": [{ b: 1, a: 2 }] }, nothing: null }

/** Every command that takes fields, with a value for each of them. What has no fields is in `bare`. */
const commands: Record<string, readonly [Change, Fields]> = {
  "server add": [
    (r, f) => r.servers.add(f as never),
    { name: "m2", hostname: "m2.example.com", ipAddresses: ["10.0.0.2", "::1"], role: "production", local: false, os: "linux", resources: { ram: "8G", cpu: 4, disk: null }, tags: ["b", "a"], notes: "n", sshConfig: { user: "u", port: 22, keyPath: null, jumpHost: "m" } }, // biome-ignore format: one row
  ],
  "server update": [
    (r, f) => r.servers.update("m", f),
    { hostname: "m.example.com", ipAddresses: ["10.0.0.1"], role: "staging", local: false, os: "bsd", resources: { ram: "1G", disk: "9G", cpu: null }, tags: ["x"], notes: "changed", sshConfig: { user: "v", port: 23, keyPath: "/k", jumpHost: null } }, // biome-ignore format: one row
  ],
  "service add": [
    (r, f) => r.services.add(f as never),
    { name: "y", server: "m", type: "app", runtime: "node", port: 81, healthEndpoint: "/h", config: nested, envVars: ["B", "A"], projectPath: "/srv", gitRepo: "g", deployCommand: "true", deploySettings: { pre: "a", post: "b", timeout: "5m", env: ["Z"] }, restartCommand: "r", logPath: "/l", notes: "n" }, // biome-ignore format: one row
  ],
  "service update": [
    (r, f) => r.services.update("x", f),
    { server: "m", type: "queue", runtime: "go", port: 80, healthEndpoint: "/health", config: nested, envVars: ["A"], projectPath: "/p", gitRepo: "h", deployCommand: "false", deploySettings: { order: "stop-first", healthCount: 3, autoRollback: true }, restartCommand: "q", logPath: "/m", notes: "changed" }, // biome-ignore format: one row
  ],
  "route add": [
    (r, f) => r.routes.add(f as never),
    { domain: "y.example.com", path: "/p", method: "GET", service: "x", proxyType: "caddy", ssl: "letsencrypt", rateLimit: { window: "1m", requests: 9 }, authRequired: true, notes: "n" }, // biome-ignore format: one row
  ],
  "route update": [
    (r, f) => r.routes.update({ domain: "x.example.com" }, f),
    { service: "x", proxyType: "nginx", ssl: "cloudflare", rateLimit: { window: "2m", requests: 8 }, authRequired: true, notes: "changed" }, // biome-ignore format: one row
  ],
  "dependency add": [
    (r, f) => r.dependencies.add(f as never),
    { service: "x", external: "stripe", dependencyType: "api", connectionStringEnv: "STRIPE", required: false, notes: "n" }, // biome-ignore format: one row
  ],
  "dependency update": [
    (r, f) => r.dependencies.update({ service: "x", on: "github" }, f),
    { dependencyType: "auth", connectionStringEnv: "GITHUB", required: false, notes: "changed" },
  ],
  "secret add": [
    (r, f) => r.secrets.add(f as never),
    { name: "OTHER", service: "x", server: "m", secretManager: "vault", path: "a/b", rotationPolicy: { interval: "90d" }, notes: "n" }, // biome-ignore format: one row
  ],
  "secret update": [
    (r, f) => r.secrets.update({ name: "KEY" }, f),
    { secretManager: "doppler", path: "c/d", rotationPolicy: { interval: "30d" }, notes: "changed" },
  ],
  "entry add": [
    (r, f) => r.timeline.add(f as never),
    { server: "m", service: "x", type: "incident", severity: "critical", title: "t", description: "d", metadata: nested }, // biome-ignore format: one row
  ],
  "entry update": [
    (r, f) =>
      Effect.flatMap(r.timeline.list({ limit: 100 }), (rows) =>
        r.timeline.update(rows.find((row) => row.source === "person")?.id ?? "", f),
      ),
    { type: "maintenance", severity: "warning", title: "u", description: "e", metadata: nested },
  ],
}

const bare: ReadonlyArray<Change> = [
  (r) => r.servers.rename("m", "n"),
  (r) => r.services.rename("x", "z"),
  (r) => r.secrets.rotated({ name: "KEY" }),
  (r) => r.secrets.remove({ name: "KEY" }),
  (r) => r.dependencies.remove({ service: "z", on: "github" }),
  (r) => r.routes.remove({ domain: "x.example.com" }),
  // Whoever jumps through a server keeps it from being removed.
  (r) => r.servers.update("m2", { sshConfig: null }),
  (r) => r.servers.remove("n", { cascade: true }),
]

/** One of everything that the commands change. */
const furnished = Effect.flatMap(Registry, (r) =>
  Effect.all([
    r.servers.add({ name: "m", local: true }),
    r.services.add({ name: "x", server: "m" }),
    r.routes.add({ domain: "x.example.com", service: "x" }),
    r.dependencies.add({ service: "x", external: "github" }),
    r.secrets.add({ name: "KEY" }),
    r.timeline.add({ title: "first" }),
  ]),
)

/** Some of a command's fields, in any order, and so the members of what they hold. */
const shuffled = (fields: Fields, needed: ReadonlyArray<string>): fc.Arbitrary<Fields> =>
  fc.tuple(fc.shuffledSubarray(Object.keys(fields)), fc.nat()).map(([keys, seed]) => {
    const random = randomFrom(seed)
    const missing = needed.filter((key) => !keys.includes(key))
    return Object.fromEntries([...keys, ...missing].map((key) => [key, disordered(fields[key], random)]))
  })

const disordered = (value: unknown, random: Random): unknown => {
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map((one) => disordered(one, random))
  const members = Object.entries(value).map(([key, member]) => [random.next(), key, member] as const)
  members.sort(([a], [b]) => a - b)
  return Object.fromEntries(members.map(([, key, member]) => [key, disordered(member, random)]))
}

const needs: Record<string, ReadonlyArray<string>> = {
  "server add": ["name"],
  "service add": ["name", "server"],
  "route add": ["domain", "service"],
  "dependency add": ["service", "external"],
  "secret add": ["name"],
  "entry add": ["title"],
}

describe("every command of the registry", { timeout: 120_000 }, () => {
  const all = Object.entries(commands).map(([name, [, fields]]) => shuffled(fields, needs[name] ?? []))

  it("with its fields in any order leaves a log that holds, and rows that are those of a rebuild", () =>
    fc.assert(
      fc.asyncProperty(fc.tuple(...all), (given) =>
        inLog(
          freshPath(),
          Effect.gen(function* () {
            const registry = yield* Registry
            yield* furnished
            for (const [index, [change]] of Object.values(commands).entries()) {
              yield* change(registry, given[index] as Fields)
            }
            for (const change of bare) yield* change(registry, {})
            expect(yield* problems).toEqual([])
          }),
        ),
      ),
      { numRuns: 15 },
    ))

  it("says what it changed in the order in which the fields are declared, not in that of the alphabet or of who gave them", () =>
    inLog(
      freshPath(),
      Effect.gen(function* () {
        const registry = yield* Registry
        yield* furnished
        for (const [name, [change, fields]] of Object.entries(commands)) {
          if (name.endsWith("update")) yield* change(registry, Object.fromEntries(Object.entries(fields).reverse()))
        }
        const titles = (yield* registry.timeline.list({ limit: 100 })).map(({ title }) => title).reverse()
        expect(titles.filter((title) => title.includes("changed: "))).toEqual([
          "server m changed: hostname, ipAddresses, role, sshConfig, local, os, resources, tags, notes",
          "service x changed: type, runtime, port, healthEndpoint, config, envVars, projectPath, gitRepo, deployCommand, deploySettings, restartCommand, logPath, notes", // biome-ignore format: one title
          "route x.example.com changed: proxyType, ssl, rateLimit, authRequired, notes",
          "dependency github changed: dependencyType, connectionStringEnv, required, notes",
          "secret KEY changed: secretManager, path, rotationPolicy, notes",
        ])
      }),
    ))

  it("given again with its members in another order changes nothing", () =>
    inLog(
      freshPath(),
      Effect.gen(function* () {
        const registry = yield* Registry
        const log = yield* EventLog
        yield* furnished
        const updates = Object.entries(commands).filter(([name]) => name.endsWith("update"))
        for (const [, [change, fields]] of updates) yield* change(registry, fields)
        const head = yield* log.head
        const reversed = (value: unknown): unknown =>
          value === null || typeof value !== "object" || Array.isArray(value)
            ? value
            : Object.fromEntries(Object.entries(value).reverse().map(([key, member]) => [key, reversed(member)])) // biome-ignore format: one step
        for (const [, [change, fields]] of updates) yield* change(registry, reversed(fields) as Fields)
        expect(yield* log.head).toBe(head)
      }),
    ))
})

describe("what a fold is fed with", () => {
  it("is the event as it is stored, of any kind and shape, and so is what the append gives back", async () => {
    const path = freshPath()
    const odd = [
      {
        ...serverAdded("a"),
        type: "MoonLanded",
        data: { b: 1, a: undefined, "10": -0, "9": new Date(0), c: [undefined] },
      },
      { ...serverAdded("b"), schema: 7 },
      { ...serverAdded("c"), type: "MoonLanded", meta: { ...serverAdded("c").meta, actor: "a\u0000\ud800b" } },
      { ...serverAdded("d"), type: "MoonLanded", data: null },
    ]
    const story = Effect.gen(function* () {
      const log = yield* EventLog
      const given = yield* Effect.forEach(odd, (event, n) =>
        log.append([{ stream: `moon-${n}`, expected: 0, events: [event] }]),
      )
      const kept = yield* Effect.forEach(odd, (_, n) => log.read(`moon-${n}`))
      expect(JSON.stringify(given)).toBe(JSON.stringify(kept))
      expect(given).toStrictEqual(kept)
      expect(yield* problems).toEqual([])
    })
    await inLog(path, story)
  })

  it("keeps every number as it is", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
        (durations) =>
          inLog(
            freshPath(),
            Effect.gen(function* () {
              const commands = yield* Commands
              const named = { service: "x", server: "m", serverId: "s", version: null, at: "2026-01-01T00:00:00.000Z" }
              yield* furnished
              const [row] = yield* (yield* ReadModels).services.list()
              for (const [n, duration] of [0.1 + 0.2, 1 / 3, ...durations].entries()) {
                const deploymentId = `d${n}`
                yield* commands.record(Service.entity.aggregate, row?.id as string, [
                  Service.DeploymentStarted({ ...named, deploymentId, previousVersion: null, deployedBy: "ada", method: "manual", notes: null }), // biome-ignore format: one event
                  Service.DeploymentSucceeded({ ...named, deploymentId, duration, logs: "", verified: true }),
                ])
              }
              yield* commands.record(Service.entity.aggregate, row?.id as string, [
                Service.DeploymentStarted({ ...named, deploymentId: "begun", previousVersion: null, deployedBy: "ada", method: "manual", notes: null }), // biome-ignore format: one event
              ])
              const rows = yield* (yield* ReadModels).deployments.list({ order: { by: "id" } })
              expect(rows.find(({ id }) => id === "begun")?.durationSeconds).toBeNull()
              expect(rows.find(({ id }) => id === "d0")?.durationSeconds).toBe(0.1 + 0.2)
              expect(yield* problems).toEqual([])
            }),
          ),
      ),
      { numRuns: 10 },
    ))
})

describe("a file that an older version wrote", () => {
  it("heals when it is opened: rows that were folded from the event as it was built", async () => {
    const path = freshPath()
    const story = Effect.gen(function* () {
      const registry = yield* Registry
      yield* furnished
      yield* registry.services.update("x", { port: 80, healthEndpoint: "/h" })
    })
    await inLog(path, story)
    withSqlite(path, (database) =>
      database.exec(`UPDATE infra_events SET title = 'service x changed: healthEndpoint, port' WHERE title LIKE 'service x changed%';
        UPDATE projections SET version = 1 WHERE name IN ('infra_events', 'rejections')`),
    )
    const titles = Effect.flatMap(Registry, ({ timeline }) =>
      Effect.map(timeline.list({ limit: 100 }), (rows) => rows.map(({ title }) => title)),
    )
    const [found, wrong] = await inLog(path, Effect.all([titles, problems]))
    expect(found).toContain("service x changed: port, healthEndpoint")
    expect(wrong).toEqual([])
  })
})
