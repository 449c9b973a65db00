/** What the log does not take, or not yet, of what is done on a host: the two never say different things. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import { afterAll, expect, it } from "vitest"
import { Commands } from "../../../src/Commands.js"
import { StorageError } from "../../../src/Errors.js"
import { Deployer } from "../../../src/services/Deployer.js"
import { Lifecycle } from "../../../src/services/Lifecycle.js"
import { Registry } from "../../../src/services/Registry.js"
import { RunCommand } from "../../../src/services/RunCommand.js"
import { appended, inWorld } from "../../support/world.js"

const directory = mkdtempSync(join(tmpdir(), "context-unnoted-"))
afterAll(() => rmSync(directory, { recursive: true }))
const ran = join(directory, "ran")

const refused = new StorageError({ reason: "not-enrolled", message: "this machine may not write" })

/** What acts on hosts, over commands that are refused in some way. */
const over = (commands: (real: Commands["Type"]) => Commands["Type"]) =>
  Layer.fresh(Layer.mergeAll(Deployer.layer, Lifecycle.layer, RunCommand.layer)).pipe(
    Layer.provide(Layer.effect(Commands, Effect.map(Commands, commands))),
  )

/** The same, where the log takes no event of this type. */
const without = (type: string) =>
  over((real) => ({
    ...real,
    record: (aggregate, id, events) =>
      events.some((event) => event.type === type) ? refused : real.record(aggregate, id, events),
  }))

const fleet = Effect.gen(function* () {
  const { servers, services } = yield* Registry
  yield* servers.add({ name: "m", local: true })
  const command = `touch ${ran}`
  yield* services.add({ name: "api", server: "m", deployCommand: command, restartCommand: command })
  return yield* Deployer
})

it("leaves no lock where its beginning could not be noted after all", () =>
  inWorld(
    Effect.gen(function* () {
      const deployer = yield* fleet
      const error = yield* Effect.flatMap(Deployer, ({ deploy }) => Effect.flip(deploy("api"))).pipe(
        Effect.provide(without("DeploymentStarted")),
      )
      expect(error.message).toBe(refused.message)
      expect(existsSync(ran)).toBe(false)
      expect((yield* deployer.plan("api")).lock).toBe(null)
      expect(yield* deployer.lock("api", { reason: "it is free" })).toMatchObject({ service: "m/api" })
      yield* deployer.unlock("api")
    }),
  ))

it("leaves no lock that was taken by hand where that could not be noted after all", () =>
  inWorld(
    Effect.gen(function* () {
      const deployer = yield* fleet
      const error = yield* Effect.flatMap(Deployer, ({ lock }) => Effect.flip(lock("api", { reason: "why" }))).pipe(
        Effect.provide(without("DeployLocked")),
      )
      expect(error.message).toBe(refused.message)
      expect((yield* deployer.plan("api")).lock).toBe(null)
    }),
  ))

/** Acts, and is interrupted when the host has done it and the log has not noted it. */
const interrupted = (act: (deployer: Deployer["Type"]) => Effect.Effect<unknown, Error>) =>
  Effect.gen(function* () {
    const asked = yield* Deferred.make<void>()
    const latch = yield* Deferred.make<void>()
    const slow = over((real) => ({
      ...real,
      record: (aggregate, id, events) =>
        Effect.zipRight(
          Effect.zipRight(Deferred.succeed(asked, undefined), Deferred.await(latch)),
          real.record(aggregate, id, events),
        ),
    }))
    const fiber = yield* Effect.fork(Effect.flatMap(Deployer, act).pipe(Effect.provide(slow)))
    yield* Effect.race(Deferred.await(asked), Fiber.await(fiber))
    yield* Fiber.interruptAsFork(fiber, FiberId.none)
    yield* Deferred.succeed(latch, undefined)
    yield* Fiber.await(fiber)
  })

it("notes a lock that was taken or let go, whoever leaves meanwhile", () =>
  inWorld(
    Effect.gen(function* () {
      const deployer = yield* fleet
      const locked = yield* appended(interrupted(({ lock }) => lock("api", { reason: "why" })))
      expect(locked.events).toEqual(["DeployLocked"])
      expect((yield* deployer.plan("api")).lock).toMatchObject({ reason: "why" })
      const unlocked = yield* appended(interrupted(({ unlock }) => unlock("api")))
      expect(unlocked.events).toEqual(["DeployUnlocked"])
      expect((yield* deployer.plan("api")).lock).toBe(null)
    }),
  ))

it("is not begun by whoever may not write, nor is anything else done on a host", () =>
  inWorld(
    Effect.gen(function* () {
      const deployer = yield* fleet
      yield* deployer.lock("api", { reason: "for a while" })
      const closed = over((real) => ({ ...real, ready: refused }))
      const all = Effect.gen(function* () {
        const { deploy, lock, rollback, unlock } = yield* Deployer
        const lifecycle = yield* Lifecycle
        const { run } = yield* RunCommand
        const asked = [
          deploy("api"),
          rollback("api", { to: "1" }),
          lock("api", { takeOver: true }),
          unlock("api"),
          lifecycle.restart("api", { force: true }),
          lifecycle.stop("api", { force: true }),
          lifecycle.start("api", { force: true }),
          run({ names: ["m"] }, ["touch", ran]),
        ]
        for (const one of asked)
          expect((yield* Effect.flip(one as Effect.Effect<unknown, Error>)).message).toBe(refused.message)
      })
      yield* Effect.provide(all, closed)
      expect(existsSync(ran)).toBe(false)
      expect((yield* deployer.plan("api")).lock).toMatchObject({ reason: "for a while" })
      yield* deployer.unlock("api")
    }),
  ))

it.each([
  ["a command", "CommandRun", () => Effect.flatMap(RunCommand, ({ run }) => run({ all: true }, ["touch", ran]))],
  ["a restart", "ServiceActionEnded", () => Effect.flatMap(Lifecycle, ({ restart }) => restart("api"))],
  ["a deployment", "DeploymentSucceeded", () => Effect.flatMap(Deployer, ({ deploy }) => deploy("api"))],
] as const)("is said to be done where only its end could not be noted: %s", (_, type, act) =>
  inWorld(
    Effect.gen(function* () {
      rmSync(ran, { force: true })
      yield* fleet
      const error = yield* Effect.flip(act() as Effect.Effect<unknown, Error, Deployer | Lifecycle | RunCommand>).pipe(
        Effect.provide(without(type)),
      )
      expect(error.message).toMatch(/was run on m|is over \(success\)/)
      expect(error.message).toContain("the log could not keep that: this machine may not write")
      expect(existsSync(ran)).toBe(true)
    }),
  ),
)

it("is reported of every server, though the log keeps it of none", () =>
  inWorld(
    Effect.gen(function* () {
      yield* fleet
      yield* (yield* Registry).servers.add({ name: "n", local: true })
      const told: Array<string> = []
      const onReport = ({ server }: { readonly server: string }) => Effect.sync(() => void told.push(server))
      const running = Effect.flatMap(RunCommand, ({ run }) => run({ all: true }, ["true"], { onReport }))
      const error = yield* Effect.flip(running).pipe(Effect.provide(without("CommandRun")))
      expect(told.sort()).toEqual(["m", "n"])
      expect(error.message).toContain("m (it exited with 0), n (it exited with 0)")
    }),
  ))
