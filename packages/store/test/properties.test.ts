import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { EventLog } from "@context-engine/core/EventLog"
import { Fold } from "@context-engine/core/Fold"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Audit } from "@context-engine/core/services/Audit"
import { Maintenance } from "@context-engine/core/services/Maintenance"
import { Registry } from "@context-engine/core/services/Registry"
import { projections } from "@context-engine/core/views/all"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { decodeLine, encodeLine } from "../src/exchange.js"
import { layer } from "../src/layer.js"
import type { EventRow } from "../src/record.js"
import * as SqlAudit from "../src/SqlAudit.js"
import * as SqlMaintenance from "../src/SqlMaintenance.js"
import { freshPath } from "./support/files.js"

const live = (path: string) =>
  Layer.mergeAll(Registry.layer, SqlAudit.layer, SqlMaintenance.layer).pipe(Layer.provideMerge(layer(path)))
type Live = Layer.Layer.Success<ReturnType<typeof live>>

const inLog = <A, E>(story: Effect.Effect<A, E, Live>) => Effect.runPromise(Effect.provide(story, live(freshPath())))

/** Few names, so that commands meet each other often. */
const server = fc.constantFrom("s1", "s2", "s3")
const service = fc.constantFrom("a", "b", "c")
const placed = fc.tuple(server, service).map((pair) => pair.join("/"))

type Command = (registry: Registry["Type"]) => Effect.Effect<unknown, { readonly message: string }>

const command: fc.Arbitrary<Command> = fc.oneof(
  server.map((name): Command => (r) => r.servers.add({ name })),
  fc.tuple(server, server).map(([a, b]): Command => (r) => r.servers.rename(a, b)),
  fc.tuple(server, fc.constantFrom("production", "staging") as fc.Arbitrary<"production" | "staging">).map(([name, role]): Command => (r) => r.servers.update(name, { role })),
  fc.tuple(server, fc.boolean()).map(([name, cascade]): Command => (r) => r.servers.remove(name, { cascade })),
  fc.tuple(server, service).map(([at, name]): Command => (r) => r.services.add({ name, server: at })),
  fc.tuple(placed, server).map(([name, to]): Command => (r) => r.services.update(name, { server: to })),
  fc.tuple(placed, fc.boolean()).map(([name, cascade]): Command => (r) => r.services.remove(name, { cascade })),
  fc.tuple(placed, placed, fc.boolean()).map(([a, on, required]): Command => (r) => r.dependencies.add({ service: a, on, required })),
  fc.tuple(placed, placed).map(([a, on]): Command => (r) => r.dependencies.update({ service: a, on }, { required: true })),
  placed.map((name): Command => (r) => r.routes.add({ domain: "x.example.com", service: name })),
  placed.map((name): Command => (r) => r.secrets.add({ name: "KEY", service: name })),
) // biome-ignore format: a table of commands

/** What must hold of the rows after any commands, in any order, at once or one by one. */
const invariants = Effect.gen(function* () {
  const models = yield* ReadModels
  const servers = yield* models.servers.list()
  const services = yield* models.services.list()
  const dependencies = yield* models.dependencies.list()
  const ids = new Set(services.map((row) => row.id))
  expect(new Set(servers.map((row) => row.name)).size).toBe(servers.length)
  expect(new Set(services.map((row) => `${row.serverId}/${row.name}`)).size).toBe(services.length)
  for (const row of services) expect(servers.some((one) => one.id === row.serverId)).toBe(true)
  for (const row of yield* models.routes.list()) expect(ids.has(row.serviceId)).toBe(true)
  for (const row of dependencies) {
    expect(ids.has(row.serviceId)).toBe(true)
    expect(ids.has(row.dependsOnServiceId as string)).toBe(true)
  }
  const required = dependencies.filter((row) => row.required).map((row) => [row.serviceId, row.dependsOnServiceId])
  expect(leaves(required as Array<[string, string]>)).toBe(true)
})

/** Whether a graph can be taken apart leaf by leaf: it has no cycle. */
const leaves = (edges: ReadonlyArray<readonly [string, string]>): boolean => {
  if (edges.length === 0) return true
  const rest = edges.filter(([, to]) => edges.some(([from]) => from === to))
  return rest.length < edges.length && leaves(rest)
}

describe("any commands", () => {
  it(
    "one by one keep the invariants, and rows rebuilt are the rows that live",
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 30 }), (commands) =>
          inLog(
            Effect.gen(function* () {
              const registry = yield* Registry
              for (const run of commands) yield* Effect.either(run(registry))
              yield* invariants
              expect(yield* Effect.flatMap(Audit, (audit) => audit.verify())).toMatchObject({ ok: true, findings: [] })
              expect(yield* Effect.flatMap(Maintenance, (care) => care.rebuild())).toMatchObject({ differing: 0 })
            }),
          ),
        ),
        { numRuns: 25 },
      ),
    120_000,
  )

  it(
    "in any interleaving keep the invariants",
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 30 }), (commands) =>
          inLog(
            Effect.gen(function* () {
              const registry = yield* Registry
              yield* Effect.forEach(commands, (run) => Effect.either(run(registry)), { concurrency: 8 })
              yield* invariants
              expect(yield* Effect.flatMap(Audit, (audit) => audit.verify())).toMatchObject({ ok: true })
            }),
          ),
        ),
        { numRuns: 60 },
      ),
    120_000,
  )

  it(
    "folded twice give the same rows as once, and the rows that any page size gives",
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 30 }), (commands) =>
          inLog(
            Effect.gen(function* () {
              const registry = yield* Registry
              for (const run of commands) yield* Effect.either(run(registry))
              const log = yield* EventLog
              const events = Chunk.toReadonlyArray(yield* Stream.runCollect(log.readAll()))
              const rows = () => {
                const fold = new Fold(projections)
                for (const event of events) fold.apply(event)
                return canonicalJson([...fold.tables].map(([name, table]) => [name, [...table]]))
              }
              expect(rows()).toBe(rows())
            }),
          ),
        ),
        { numRuns: 10 },
      ),
    120_000,
  )
})

describe("an event", () => {
  const text = fc.string({ unit: "grapheme" })
  const row = fc
    .tuple(fc.nat({ max: 1e9 }), text, text, fc.nat({ max: 1e6 }), text, fc.dictionary(text, fc.jsonValue()), fc.option(text), fc.option(fc.tuple(text, text)))
    .map(([position, id, stream, version, type, data, signature, salted]) => [position + 1, id, stream, version + 1, type, 1, canonicalJson(data), "{}", "t", "r", "h", signature, ...(salted ?? [null, null])] as EventRow) // biome-ignore format: one row

  it("comes back from its line as it was, byte for byte", () =>
    fc.assert(
      fc.property(row, (event) => {
        const line = encodeLine(event)
        const back = Effect.runSync(decodeLine(line))
        expect(back).toEqual(event)
        expect(encodeLine(back)).toBe(line)
      }),
    ))

  it("has one canonical text, whatever the order of its members", () =>
    fc.assert(
      fc.property(fc.dictionary(text, fc.jsonValue()), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse())
        expect(canonicalJson(reversed)).toBe(canonicalJson(value))
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    ))
})

describe("hostile text", () => {
  const hostile = ["'; DROP TABLE events; --", '"quoted"', "\\", "مرحبا ‮evil", "👩‍👩‍👧‍👦", "a\tb\nc", "%s %d", "${x}", "\ufffd", "\u2028", "x".repeat(16_384)] // biome-ignore format: one row
  const refused = ["a\u0000b", "\u001b[2J", "\ud800", "\udc00x", "x".repeat(1_000_000), "\u0085"]

  it("survives the whole way in every text field, or is refused with a reason", () =>
    inLog(
      Effect.gen(function* () {
        const registry = yield* Registry
        yield* registry.servers.add({ name: "s" })
        yield* registry.services.add({ name: "a", server: "s" })
        const fields: ReadonlyArray<(value: string) => Effect.Effect<unknown, { readonly message: string }>> = [
          (notes) => Effect.map(registry.servers.update("s", { notes }), (saved) => saved.notes),
          (notes) => Effect.map(registry.services.update("a", { notes }), (saved) => saved.notes),
          (key) => Effect.map(registry.services.update("a", { config: { key } }), (saved) => saved.config?.key),
          (deployCommand) =>
            Effect.map(registry.services.update("a", { deployCommand }), (saved) => saved.deployCommand),
          (description) => Effect.map(registry.timeline.add({ title: "t", description }), (saved) => saved.description),
        ]
        for (const save of fields) {
          for (const value of hostile) expect(yield* save(value)).toBe(value)
          for (const value of refused) expect((yield* Effect.flip(save(value))).message.length).toBeGreaterThan(10)
        }
        for (const value of [...hostile.filter((one) => one !== "\ufffd"), ...refused]) {
          const error = yield* Effect.flip(registry.servers.add({ name: value }))
          expect(error.message.length).toBeLessThan(200)
        }
        expect(yield* Effect.flatMap(Audit, (audit) => audit.verify())).toMatchObject({ ok: true })
      }),
    ))
})
