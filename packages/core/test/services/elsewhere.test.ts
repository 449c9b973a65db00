/** A server that is local to one machine, and two machines that work on one log. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Here, type Identity, isHere } from "../../src/Here.js"
import { Origin } from "../../src/Origin.js"
import { ReadModels } from "../../src/ReadModels.js"
import * as Local from "../../src/Remote/Local.js"
import { Deployer } from "../../src/services/Deployer.js"
import { Fleet } from "../../src/services/Fleet.js"
import { Health } from "../../src/services/Health.js"
import { Lifecycle } from "../../src/services/Lifecycle.js"
import * as Services from "../../src/services/layer.js"
import { Registry } from "../../src/services/Registry.js"
import { RunCommand } from "../../src/services/RunCommand.js"
import { Scanner } from "../../src/services/Scanner.js"
import { layerMemory } from "../../src/testing/memory.js"
import { appended, type World } from "../support/world.js"

/** Runs a story whose steps are taken by one machine or another, over one log. */
const machines = (story: (on: typeof asMachine) => Effect.Effect<void, unknown, World>) =>
  Effect.runPromise(
    Effect.provide(story(asMachine), Layer.provideMerge(Services.layer, Layer.merge(layerMemory(), Local.layer))),
  )

/** What the store adds to an event's meta is added here: the key of the machine that writes it. */
const asMachine =
  (machine: string, key?: string) =>
  <A, E, R>(step: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    step.pipe(
      Effect.provideService(Origin, { actor: "ada", via: "cli", machine, ...(key && { key }) }),
      Effect.provideService(Here, Effect.succeed({ key, machine })),
    )

const here = Effect.gen(function* () {
  const registry = yield* Registry
  yield* registry.servers.add({ name: "here", local: true })
  yield* registry.services.add({ name: "api", server: "here", deployCommand: "true", restartCommand: "true" }) // biome-ignore format: one service
})

const refusal = /server here is local to beta; it is reached from there only: .*context infra server update here --ip/

describe("a server that is local to beta", () => {
  it("is reached from there, and refused elsewhere with the way out, whatever is asked of it", () =>
    machines((on) =>
      Effect.gen(function* () {
        const [beta, alpha] = [on("beta", "bb"), on("alpha", "aa")]
        yield* beta(here)
        yield* beta(Effect.flatMap(Deployer, (deployer) => deployer.deploy("api")))
        const asked: ReadonlyArray<Effect.Effect<unknown, unknown, World>> = [
          Effect.flatMap(Deployer, (deployer) => deployer.deploy("api")),
          Effect.flatMap(Deployer, (deployer) => deployer.lock("api")),
          Effect.flatMap(Lifecycle, (lifecycle) => lifecycle.restart("api")),
          Effect.flatMap(Scanner, (scanner) => scanner.scan("here")),
        ]
        for (const one of asked) {
          const { events, value } = yield* appended(Effect.either(alpha(one)))
          expect(String(Either.getOrThrow(Either.flip(value)))).toMatch(refusal)
          expect(events).toEqual([])
        }
        const run = Effect.flatMap(RunCommand, (command) => command.run({ names: ["here"] }, ["true"]))
        const { events, value } = yield* appended(alpha(run))
        expect({ events, value }).toMatchObject({ events: [], value: [{ error: { reason: "elsewhere" } }] })
      }),
    ))

  it("is another machine from when that says so; that it is this one is no news from itself", () =>
    machines((on) =>
      Effect.gen(function* () {
        const [beta, alpha] = [on("beta", "bb"), on("alpha", "aa")]
        yield* beta(here)
        const { servers } = yield* Registry
        const says = servers.update("here", { local: true })
        expect((yield* appended(beta(says))).events).toEqual([])
        const { events, value } = yield* appended(alpha(says))
        expect(events).toEqual(["ServerUpdated"])
        expect(value).toMatchObject({ localKey: "aa", localMachine: "alpha" })
        const deploy = Effect.flatMap(Deployer, (deployer) => deployer.deploy("api"))
        yield* alpha(deploy)
        expect(String(yield* Effect.flip(beta(deploy)))).toContain("local to alpha; it is reached from there only")
        // Whose key is yet to be made is no machine that has one, though it is called the same.
        expect(String(yield* Effect.flip(on("alpha", "")(deploy)))).toContain("local to another machine called alpha")
        // A host name is no key: what an older event left open is said for certain.
        yield* on("gamma", undefined)(says)
        expect(yield* on("gamma", "dd")(says)).toMatchObject({ localKey: "dd" })
        // With another key a machine is another one, though it is called the same.
        yield* on("beta", "cc")(says)
        yield* on("beta", "cc")(deploy)
      }),
    ))

  it("keeps what is known of it, when another machine looks at all there is", () =>
    machines((on) =>
      Effect.gen(function* () {
        const [beta, alpha] = [on("beta", "bb"), on("alpha", "aa")]
        const look = Effect.all([Effect.flatMap(Fleet, (fleet) => fleet.status()), Effect.flatMap(Health, (health) => health.check())]) // biome-ignore format: one look
        yield* beta(here)
        yield* (yield* Registry).services.update("api", { port: 1, healthEndpoint: "/" })
        const [[server], [service]] = yield* beta(look)
        const { events, value } = yield* appended(alpha(look))
        expect(events).toEqual([])
        expect(value).toMatchObject([
          [{ status: server?.status, reason: expect.stringMatching(refusal), metrics: null }],
          [{ status: service?.status, detail: expect.stringMatching(refusal), latency: null }],
        ])
      }),
    ))

  it("belongs to whoever said it last, by key, and by host name where no key is known", () =>
    machines((on) =>
      Effect.gen(function* () {
        const registry = yield* Registry
        const said = Effect.map(registry.servers.get("here"), ({ local, localKey, localMachine }) => [local, localKey, localMachine]) // biome-ignore format: one row
        yield* on("beta")(registry.servers.add({ name: "here", local: true }))
        expect(yield* said).toEqual([true, null, "beta"])
        yield* on("alpha", "aa")(registry.servers.update("here", { notes: "x" }))
        expect(yield* said).toEqual([true, null, "beta"])
        yield* on("alpha", "aa")(registry.servers.update("here", { local: false }))
        expect(yield* said).toEqual([false, null, null])
        yield* on("alpha", "aa")(registry.servers.update("here", { local: true }))
        expect(yield* said).toEqual([true, "aa", "alpha"])
        expect(yield* (yield* ReadModels).servers.list()).toHaveLength(1)
      }),
    ))
})

it("the key decides where both are known, else the host name, and where neither is known it is here", () => {
  const local = (localKey: string | null, localMachine: string | null) => ({ local: true, localKey, localMachine })
  const cases: ReadonlyArray<readonly [ReturnType<typeof local>, Identity, boolean]> = [
    [local("bb", "vm"), { key: "bb", machine: "renamed" }, true],
    [local("bb", "vm"), { key: "aa", machine: "vm" }, false],
    [local(null, "vm"), { key: "aa", machine: "vm" }, true],
    [local(null, "vm"), { key: "aa", machine: "other" }, false],
    [local("bb", "vm"), { key: undefined, machine: "vm" }, true],
    [local("bb", "vm"), { key: undefined, machine: "other" }, false],
    [local(null, "unknown"), { key: "aa", machine: "alpha" }, true],
    [local(null, "vm"), { key: undefined, machine: "unknown" }, true],
    [{ ...local("bb", "vm"), local: false }, { key: "bb", machine: "vm" }, false],
  ]
  for (const [server, identity, expected] of cases) expect(isHere(server, identity)).toBe(expected)
})
