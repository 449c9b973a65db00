import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, expect, it } from "vitest"
import { Attendant } from "../../../src/Attendant.js"
import type { Deployer, DeployOptions } from "../../../src/services/Deployer.js"
import { Registry } from "../../../src/services/Registry.js"
import { describeHosts } from "../../support/oddLogins.js"
import { type Sshd, until } from "../../support/sshd.js"
import { ledgerOf, onMachine, tracks } from "./setting.js"

/** Whoever began the deployments of these stories is gone by the time somebody looks. */
const afterCrash = Effect.provideService(Attendant, { id: "2", isGone: () => true })

describeHosts("a deployment whose client is gone", (startHost) => {
  let sshd: Sshd
  const traces = tracks()
  beforeAll(async () => {
    sshd = await startHost()
  })
  afterAll(async () => {
    await sshd.dispose()
    rmSync(traces.directory, { recursive: true })
  })

  const runDirectory = (service: string, id: string) => join(ledgerOf(sshd, service), "runs", id)
  const isOver = (service: string, id: string) => () =>
    readFileSync(join(runDirectory(service, id), "status"), "utf8").startsWith("over ")

  /** Begins a deployment and goes away when the command has printed something; gives its id. */
  const leave = (deployer: Deployer["Type"], service: string, options: DeployOptions = {}) =>
    Effect.gen(function* () {
      const printed = yield* Deferred.make<void>()
      let id = ""
      const deploying = yield* Effect.fork(
        deployer.deploy(service, {
          ...options,
          onBegin: (begun) =>
            Effect.sync(() => {
              id = begun
            }),
          onOutput: () => Deferred.succeed(printed, undefined),
        }),
      )
      yield* Deferred.await(printed)
      yield* Fiber.interrupt(deploying)
      expect((yield* deployer.get(id)).status).toBe("in_progress")
      return id
    })

  it("is over also for a service that was removed and registered anew meanwhile", () => {
    const service = { name: "anew", deployCommand: "echo begun; sleep 0.3; echo ended" }
    return onMachine(sshd, service, (deployer) =>
      Effect.gen(function* () {
        const id = yield* leave(deployer, "anew")
        const { services } = yield* Registry
        yield* services.remove("anew")
        yield* services.add({ ...service, server: "host" })
        expect(yield* deployer.attach(id)).toMatchObject({ id, status: "success" })
        expect(yield* deployer.get(id)).toMatchObject({ status: "success" })
      }),
    )
  })

  it("goes on, and is settled by the next command, with all that it printed", () =>
    onMachine(sshd, { name: "left", deployCommand: "echo begun; sleep 0.3; echo ended" }, (deployer) =>
      Effect.gen(function* () {
        const id = yield* leave(deployer, "left")
        expect(yield* deployer.settle("left")).toEqual([])
        yield* Effect.promise(() => until(isOver("left", id), () => "it does not end"))
        const [row] = yield* afterCrash(deployer.settle("left"))
        expect(row).toMatchObject({
          id,
          status: "success",
          logs: "begun\nended\n",
          steps: [{ step: "command", ok: true }],
        })
        expect(yield* afterCrash(deployer.settle("left"))).toEqual([])
        // Its lock is free again.
        expect(yield* deployer.deploy("left")).toMatchObject({ status: "success" })
      }),
    ))

  it("is unknown when its processes are gone, too; it is not run again by itself", () =>
    onMachine(
      sshd,
      { name: "lost", deployCommand: `echo x >> ${traces.path("lost")}; echo begun; sleep 60` },
      (deployer) =>
        Effect.gen(function* () {
          const id = yield* leave(deployer, "lost")
          for (const file of ["runner", "child"]) {
            process.kill(Number(readFileSync(join(runDirectory("lost", id), file), "utf8").split("\n")[0]), "SIGKILL")
          }
          const [row] = yield* afterCrash(deployer.settle("lost"))
          expect(row).toMatchObject({ id, status: "unknown", logs: "begun\n" })
          expect(row?.reason).toContain("its processes are gone from host")
          expect(traces.read("lost")).toBe("x\n")
        }),
    ))

  it("is not over while its command runs, even if what saw it through is gone; how it ended is unknown then", () =>
    onMachine(sshd, { name: "orphan", deployCommand: "echo begun; sleep 1; echo ended" }, (deployer) =>
      Effect.gen(function* () {
        const id = yield* leave(deployer, "orphan")
        const runner = readFileSync(join(runDirectory("orphan", id), "runner"), "utf8")
        process.kill(Number(runner.split("\n")[0]), "SIGKILL")
        expect(yield* afterCrash(deployer.settle("orphan"))).toEqual([])
        expect((yield* Effect.flip(deployer.deploy("orphan", { takeOver: true }))).message).toContain("is running")
        expect(yield* deployer.attach(id)).toMatchObject({ status: "unknown", logs: "begun\nended\n" })
      }),
    ))

  it("never began: that is said, and nothing was run", () =>
    onMachine(sshd, { name: "early", deployCommand: `echo x >> ${traces.path("early")}` }, (deployer) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<string>()
        const onBegin = (id: string) => Effect.zipRight(Deferred.succeed(begun, id), Effect.never)
        const deploying = yield* Effect.fork(deployer.deploy("early", { onBegin }))
        const id = yield* Deferred.await(begun)
        yield* Fiber.interrupt(deploying)
        const [row] = yield* afterCrash(deployer.settle("early"))
        expect(row).toMatchObject({ id, status: "failed", reason: "it was never begun: nothing was run" })
        expect(traces.read("early")).toBe("")
      }),
    ))

  it("is settled before the next deploy, which then takes the lock", () =>
    onMachine(sshd, { name: "next", deployCommand: "echo begun; sleep 0.2" }, (deployer) =>
      Effect.gen(function* () {
        const id = yield* leave(deployer, "next", { autoRollback: true })
        yield* Effect.promise(() => until(isOver("next", id), () => "it does not end"))
        expect(yield* afterCrash(deployer.deploy("next"))).toMatchObject({ status: "success" })
        expect((yield* deployer.history("next")).map((row) => row.status)).toEqual(["success", "success"])
      }),
    ))

  it("is left alone while whoever began it may still be with it", () =>
    onMachine(sshd, { name: "watched", deployCommand: "echo begun; sleep 0.2" }, (deployer) =>
      Effect.gen(function* () {
        const id = yield* leave(deployer, "watched")
        yield* Effect.promise(() => until(isOver("watched", id), () => "it does not end"))
        expect(yield* deployer.settle("watched")).toEqual([])
        expect(yield* deployer.attach(id)).toMatchObject({ status: "success" })
      }),
    ))

  it(
    "is cancelled with all its processes, even those in sessions of their own",
    () =>
      onMachine(
        sshd,
        {
          name: "tree",
          deployCommand: `(sleep 300 & echo $! > ${traces.path("a")}; wait) & setsid sh -c 'echo $$ > ${traces.path("b")}; sleep 300' & sleep 0.3; trap '' TERM; echo begun; sleep 300; sleep 300`,
        },
        (deployer) =>
          Effect.gen(function* () {
            yield* leave(deployer, "tree")
            const row = yield* deployer.cancel("tree")
            expect(row).toMatchObject({ status: "failed", reason: "it was cancelled by ada on test" })
            for (const name of ["a", "b"]) {
              expect(() => process.kill(Number(traces.read(name)), 0), name).toThrow()
            }
            const again = yield* Effect.flip(deployer.cancel(row.id))
            expect(again.message).toContain("is over already")
            expect((yield* Effect.flip(deployer.cancel("tree"))).message).toContain(
              "nothing of host/tree is being deployed",
            )
          }),
      ),
    120_000,
  )

  it("is cancelled by somebody else while one watches, who sees the end", () =>
    onMachine(sshd, { name: "both", deployCommand: "echo begun; sleep 300" }, (deployer) =>
      Effect.gen(function* () {
        const printed = yield* Deferred.make<void>()
        const onOutput = () => Deferred.succeed(printed, undefined)
        const deploying = yield* Effect.fork(deployer.deploy("both", { onOutput }))
        yield* Deferred.await(printed)
        const cancelled = yield* deployer.cancel("both")
        expect(yield* Fiber.join(deploying)).toEqual(cancelled)
        expect(cancelled).toMatchObject({ status: "failed", reason: "it was cancelled by ada on test" })
      }),
    ))

  it("is stopped by its host when its time is over, whether anyone watches or not", () =>
    onMachine(sshd, { name: "slow", deployCommand: "echo begun; sleep 300" }, (deployer) =>
      Effect.gen(function* () {
        const id = yield* leave(deployer, "slow", { timeout: 1_000 })
        const row = yield* deployer.attach(id)
        expect(row).toMatchObject({ status: "failed", reason: "it did not end within 1 s and was stopped" })
      }),
    ))
})
