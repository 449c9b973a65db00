import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { EventLog } from "../../src/EventLog.js"
import { Registry } from "../../src/services/Registry.js"
import { inWorld, type World } from "../support/world.js"

/** alpha and beta; an api on each, a database on alpha. */
const fleet = Effect.gen(function* () {
  const registry = yield* Registry
  yield* registry.servers.add({ name: "alpha", ipAddresses: ["10.0.0.1"] })
  yield* registry.servers.add({ name: "beta" })
  yield* registry.services.add({ name: "api", server: "alpha", port: 3000 })
  yield* registry.services.add({ name: "api", server: "beta" })
  yield* registry.services.add({ name: "postgres", server: "alpha", type: "database" })
  return registry
})

/** The refusal of a story, which must leave the log as long as it was. */
const refusal = <A, E extends { readonly _tag: string; readonly message: string }>(
  story: (registry: Registry["Type"]) => Effect.Effect<A, E, World>,
) =>
  inWorld(
    Effect.gen(function* () {
      const registry = yield* fleet
      const log = yield* EventLog
      const before = yield* log.head
      const error = yield* Effect.flip(story(registry))
      expect(yield* log.head).toBe(before)
      return error
    }),
  )

describe("names", () => {
  it("finds a service by its short name where only one server has it", async () => {
    const found = await inWorld(Effect.flatMap(fleet, (registry) => registry.services.get("postgres")))
    expect(found).toMatchObject({ name: "postgres", server: "alpha", type: "database" })
  })

  it("lists the candidates of an ambiguous name", async () => {
    const error = await refusal((registry) => registry.services.get("api"))
    expect(error).toMatchObject({ _tag: "Ambiguous", candidates: ["alpha/api", "beta/api"] })
  })

  it("finds it by server/service then", async () => {
    const found = await inWorld(Effect.flatMap(fleet, (registry) => registry.services.get("beta/api")))
    expect(found.server).toBe("beta")
  })

  it("suggests the nearest for a wrong one", async () => {
    expect(await refusal((registry) => registry.servers.get("alhpa"))).toMatchObject({ suggestions: ["alpha"] })
    expect(await refusal((registry) => registry.services.get("postgras"))).toMatchObject({ suggestions: ["postgres"] })
    expect((await refusal((registry) => registry.servers.get("zzz"))).message).toBe('no server named "zzz"')
  })
})

describe("what is refused leaves no trace", () => {
  it("a name that is taken", async () => {
    const error = await refusal((registry) => registry.servers.add({ name: "alpha" }))
    expect(error).toMatchObject({ _tag: "AlreadyExists", entity: "server", name: "alpha" })
  })

  it("a rename to a name that is taken", async () => {
    expect((await refusal((registry) => registry.servers.rename("beta", "alpha")))._tag).toBe("AlreadyExists")
  })

  it("the same service twice on one server", async () => {
    const error = await refusal((registry) => registry.services.add({ name: "api", server: "alpha" }))
    expect(error._tag).toBe("AlreadyExists")
  })

  it("a port that is none", async () => {
    const error = await refusal((registry) => registry.services.add({ name: "x", server: "alpha", port: 70_000 }))
    expect(error.message).toBe("port: must be a port from 1 to 65535")
  })

  it("a field that does not exist", async () => {
    const error = await refusal((registry) => registry.servers.add({ name: "x", colour: "red" } as never))
    expect(error.message).toContain("colour")
  })

  it("a server that has services", async () => {
    const error = await refusal((registry) => registry.servers.remove("alpha"))
    expect(error).toMatchObject({ _tag: "InUse", by: ["service api", "service postgres"] })
  })

  it("a secret's value in place of its name", async () => {
    const value = ["Zx9", "Qp2", "Lm4", "Kd8", "Vb3", "Nc7", "Ty6"].join("")
    const error = await refusal((registry) => registry.secrets.add({ name: value }))
    expect(error.message).toContain("never its value")
    const inPath = await refusal((registry) => registry.secrets.add({ name: "KEY", path: value }))
    expect(inPath.message).toContain("path")
  })

  it("a jump host that is no server", async () => {
    const sshConfig = { user: null, port: 22, keyPath: null, jumpHost: "alhpa" }
    const error = await refusal((registry) => registry.servers.add({ name: "x", sshConfig }))
    expect(error).toMatchObject({ _tag: "NotFound", suggestions: ["alpha"] })
  })
})

describe("dependencies", () => {
  const needs = (registry: Registry["Type"], service: string, on: string, required = true) =>
    registry.dependencies.add({ service, on, required })

  it("refuses a cycle of required ones, and shows it", async () => {
    const story = (registry: Registry["Type"]) =>
      Effect.gen(function* () {
        yield* registry.services.add({ name: "cache", server: "beta" })
        yield* needs(registry, "alpha/api", "postgres")
        yield* needs(registry, "postgres", "cache")
        const before = yield* (yield* EventLog).head
        const error = yield* Effect.flip(needs(registry, "cache", "alpha/api"))
        expect(yield* (yield* EventLog).head).toBe(before)
        return error
      })
    const error = await inWorld(Effect.flatMap(fleet, story))
    expect(error).toMatchObject({
      _tag: "DependencyCycle",
      path: ["beta/cache", "alpha/api", "alpha/postgres", "beta/cache"],
    })
  })

  it("lets an optional one close a circle, until it is made required", async () => {
    const story = (registry: Registry["Type"]) =>
      Effect.gen(function* () {
        yield* needs(registry, "alpha/api", "postgres")
        yield* needs(registry, "postgres", "alpha/api", false)
        return yield* Effect.flip(registry.dependencies.update({ service: "postgres", on: "api" }, { required: true }))
      })
    expect((await inWorld(Effect.flatMap(fleet, story)))._tag).toBe("DependencyCycle")
  })

  it("is told from both ends", async () => {
    const story = (registry: Registry["Type"]) =>
      Effect.gen(function* () {
        yield* registry.dependencies.add({ service: "beta/api", on: "postgres", connectionStringEnv: "DATABASE_URL" })
        yield* registry.dependencies.add({ service: "beta/api", external: "stripe", dependencyType: "api" })
        return {
          of: (yield* registry.dependencies.list({ service: "beta/api" })).map((row) => row.dependsOn),
          on: (yield* registry.dependencies.list({ service: "postgres", reverse: true })).map((row) => row.service),
        }
      })
    const { of, on } = await inWorld(Effect.flatMap(fleet, story))
    expect([...of].sort()).toEqual(["alpha/postgres", "stripe"])
    expect(on).toEqual(["beta/api"])
  })

  it("on itself is a cycle", async () => {
    expect((await refusal((registry) => needs(registry, "postgres", "postgres")))._tag).toBe("DependencyCycle")
  })
})

describe("removing with everything on it", () => {
  it("takes the services, their routes, dependencies and secrets along", async () => {
    const story = (registry: Registry["Type"]) =>
      Effect.gen(function* () {
        yield* registry.routes.add({ domain: "api.example.com", service: "alpha/api" })
        yield* registry.dependencies.add({ service: "beta/api", on: "postgres" })
        yield* registry.secrets.add({ name: "DATABASE_URL", service: "alpha/api" })
        yield* registry.servers.remove("alpha", { cascade: true })
        return [
          (yield* registry.servers.list()).map((server) => server.name),
          (yield* registry.services.list()).map((service) => service.server),
          yield* registry.routes.list(),
          yield* registry.dependencies.list(),
          yield* registry.secrets.list(),
        ]
      })
    expect(await inWorld(Effect.flatMap(fleet, story))).toEqual([["beta"], ["beta"], [], [], []])
  })

  it("frees the name for another", async () => {
    const story = (registry: Registry["Type"]) =>
      Effect.gen(function* () {
        yield* registry.servers.remove("beta", { cascade: true })
        return yield* registry.servers.add({ name: "beta", role: "staging" })
      })
    expect(await inWorld(Effect.flatMap(fleet, story))).toMatchObject({ name: "beta", role: "staging" })
  })
})

describe("secrets", () => {
  it("says when a rotation is due", async () => {
    const story = (registry: Registry["Type"]) =>
      Effect.gen(function* () {
        yield* registry.secrets.add({ name: "KEY", service: "postgres", rotationPolicy: { interval: "90d" } })
        return yield* registry.secrets.rotated({ name: "KEY" })
      })
    const secret = await inWorld(Effect.flatMap(fleet, story))
    expect(Date.parse(secret.rotationDue as string) - Date.parse(secret.lastRotated as string)).toBe(90 * 86_400_000)
    expect(secret.service).toBe("alpha/postgres")
  })

  it("keeps two of one name apart by their service, and refuses a twin", async () => {
    const story = (registry: Registry["Type"]) =>
      Effect.gen(function* () {
        yield* registry.secrets.add({ name: "KEY", service: "alpha/api" })
        yield* registry.secrets.add({ name: "KEY", service: "beta/api" })
        const twin = yield* Effect.flip(registry.secrets.add({ name: "KEY", service: "beta/api" }))
        const which = yield* Effect.flip(registry.secrets.get({ name: "KEY" }))
        return [twin._tag, which._tag]
      })
    expect(await inWorld(Effect.flatMap(fleet, story))).toEqual(["AlreadyExists", "Ambiguous"])
  })
})

describe("the timeline", () => {
  it("tells what was done, newest first, and takes entries that people write", async () => {
    const story = (registry: Registry["Type"]) =>
      Effect.gen(function* () {
        const entry = yield* registry.timeline.add({
          title: "500s",
          type: "incident",
          severity: "error",
          service: "postgres",
        })
        yield* registry.timeline.update(entry.id, { description: "it was the disk" })
        const told = yield* registry.timeline.list({ limit: 3 })
        const fixed = yield* Effect.flip(registry.timeline.update((told[1] as { id: string }).id, { title: "x" }))
        yield* registry.timeline.remove(entry.id)
        const left = yield* registry.timeline.list({ severity: "error" })
        return { told: told.map((row) => row.title), fixed: fixed.message, left: left.length }
      })
    expect(await inWorld(Effect.flatMap(fleet, story))).toEqual({
      told: ["500s", "service postgres added", "service api added"],
      fixed: "this entry tells an event of the log, which never changes",
      left: 0,
    })
  })
})

describe("a server that jumps through itself", () => {
  it("is renamed and removed as any other", () =>
    inWorld(
      Effect.gen(function* () {
        const registry = yield* fleet
        const sshConfig = { user: null, port: 22, keyPath: null, jumpHost: "gamma" }
        yield* registry.servers.add({ name: "gamma" })
        yield* registry.servers.update("gamma", { sshConfig })
        expect(yield* registry.servers.rename("gamma", "delta")).toMatchObject({ name: "delta" })
        yield* registry.servers.update("delta", { sshConfig: { ...sshConfig, jumpHost: "delta" } })
        yield* registry.servers.remove("delta")
      }),
    ))
})
