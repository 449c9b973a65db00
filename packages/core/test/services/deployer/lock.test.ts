import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, expect, it } from "vitest"
import type { OperationFailed } from "../../../src/Errors.js"
import { Origin } from "../../../src/Origin.js"
import { ReadModels } from "../../../src/ReadModels.js"
import type { Deployer } from "../../../src/services/Deployer.js"
import { makeLedger } from "../../../src/services/deployer/host/Ledger.js"
import { Hosts } from "../../../src/services/Hosts.js"
import type { ServerRow } from "../../../src/views/servers.js"
import { attendantOf } from "../../support/attendants.js"
import { describeSshd, type Sshd, startSshd } from "../../support/sshd.js"
import { ledgerOf, listener, onMachine, tracks } from "./setting.js"

const on = (machine: string, actor: string) => Effect.provideService(Origin, { actor, machine, via: "library" })

describeSshd("the deploy lock", () => {
  let sshd: Sshd
  const traces = tracks()
  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(async () => {
    await sshd.dispose()
    rmSync(traces.directory, { recursive: true })
  })
  const counter = (service: string) => Number(readFileSync(join(ledgerOf(sshd, service), "counter"), "utf8"))

  /** Two machines, each with a log of its own that knows nothing of the other. */
  const onTwo = <A, E>(
    setup: { readonly name: string; readonly deployCommand: string },
    story: (laptop: Deployer["Type"], phone: Deployer["Type"]) => Effect.Effect<A, E, Deployer>,
  ) =>
    onMachine(sshd, setup, (laptop) =>
      Effect.promise(() =>
        onMachine(sshd, setup, (phone) => Effect.provideService(story(laptop, phone), Origin, origin)),
      ),
    )
  const origin = { actor: "ada", machine: "laptop", via: "library" } as const

  it("two machines deploy one service at the same moment, 50 times: one runs, one is told who holds it", async () => {
    // It goes on until the other was told: however late that one comes on a busy machine, it finds the lock.
    const told = traces.path("told")
    const deployCommand = `echo x >> ${traces.path("raced")}; until [ -e ${told} ]; do sleep 0.02; done`
    const tell = Effect.tapError(() => Effect.sync(() => writeFileSync(told, "")))
    await onTwo({ name: "raced", deployCommand }, (laptop, phone) =>
      Effect.gen(function* () {
        for (let n = 1; n <= 50; n++) {
          rmSync(told, { force: true })
          const both = yield* Effect.all(
            [
              Effect.either(tell(laptop.deploy("raced"))).pipe(on("laptop", "ada")),
              Effect.either(tell(phone.deploy("raced"))).pipe(on("phone", "bob")),
            ],
            { concurrency: 2 },
          )
          const [won, lost] = [both.filter(Either.isRight), both.filter(Either.isLeft)]
          expect([won.length, lost.length]).toEqual([1, 1])
          const error = lost[0]?.left as OperationFailed
          const other = Either.isRight(both[0]) ? "ada on laptop" : "bob on phone"
          expect(error.message).toContain(`host/raced is locked by ${other}`)
          expect(error.next).toMatch(/attach|--wait/)
          expect(traces.read("raced")).toBe("x\n".repeat(n))
        }
        expect(counter("raced")).toBe(50)
      }),
    )
  }, 240_000)

  it("one waits for the other, if it wants to", () =>
    onTwo({ name: "patient", deployCommand: `echo x >> ${traces.path("patient")}; sleep 0.5` }, (laptop, phone) =>
      Effect.gen(function* () {
        const running = yield* Deferred.make<void>()
        const first = yield* Effect.fork(
          laptop.deploy("patient", {
            onStep: (step) => (step === "command" ? Deferred.succeed(running, undefined) : Effect.void),
          }),
        )
        yield* Deferred.await(running)
        const steps: Array<string> = []
        const onStep = (step: string, detail?: string) => Effect.sync(() => void steps.push(`${step} ${detail ?? ""}`))
        const second = yield* phone.deploy("patient", { wait: 30_000, onStep })
        expect(steps).toContain("waiting ada@laptop")
        expect(yield* Fiber.join(first)).toMatchObject({ status: "success" })
        expect(second).toMatchObject({ status: "success" })
        expect(traces.read("patient")).toBe("x\nx\n")
      }),
    ))

  it("is held by hand until it is released by hand, whatever anybody wants to take over", () =>
    onTwo({ name: "held", deployCommand: "true" }, (laptop, phone) =>
      Effect.gen(function* () {
        const locked = yield* laptop.lock("held", { reason: "a migration; $(touch pwned) 'quoted'" })
        expect(locked.counter).toBe(1)
        for (const takeOver of [false, true]) {
          const error = yield* Effect.flip(phone.deploy("held", { takeOver }))
          expect(error.message).toContain("locked by ada on laptop")
          expect(error.message).toContain("(a migration; $(touch pwned) 'quoted'): it is held by hand")
          expect(error).toMatchObject({ next: "context infra deploy unlock host/held" })
          expect(yield* Effect.flip(phone.lock("held", { takeOver }))).toMatchObject({ operation: "lock" })
        }
        yield* phone.unlock("held")
        expect((yield* Effect.flip(phone.unlock("held"))).message).toContain("is not locked")
        expect(yield* phone.deploy("held")).toMatchObject({ status: "success" })
        expect(counter("held")).toBe(2)
      }),
    ))

  it("of somebody who is gone is shown, and taken over only on demand", () =>
    onTwo({ name: "dead", deployCommand: "echo begun; sleep 0.5" }, (laptop, phone) =>
      Effect.gen(function* () {
        // Its client goes away between the end of its command and the release of its lock.
        const begun = yield* Deferred.make<void>()
        const seen = listener()
        const deploying = yield* Effect.fork(
          laptop.deploy("dead", {
            autoRollback: true,
            onOutput: (chunk) => Effect.zipRight(seen.onOutput(chunk), Deferred.succeed(begun, undefined)),
          }),
        )
        yield* Deferred.await(begun)
        const running = yield* Effect.flip(phone.deploy("dead", { takeOver: true }))
        expect(running.message).toContain("is running")
        yield* Fiber.interrupt(deploying)
        yield* Effect.sleep("800 millis")
        const left = yield* Effect.flip(phone.deploy("dead"))
        expect(left.message).toContain("have ended; whoever began it may still be checking its health")
        expect((left as OperationFailed).next).toContain("--take-over")
        expect(yield* phone.deploy("dead", { takeOver: true })).toMatchObject({ status: "success" })
        expect(counter("dead")).toBe(2)
      }),
    ))

  it("of a program that was killed before anything began is told at once on its own machine, and taken over on demand", () =>
    onMachine(sshd, { name: "killed", deployCommand: "true" }, (deployer) =>
      Effect.gen(function* () {
        const program = spawn("sleep", ["1000"])
        const [server] = yield* (yield* ReadModels).servers.list()
        const ledger = makeLedger(yield* Hosts)
        const begin = ledger.prepare(
          { server: server as ServerRow, service: "killed", id: crypto.randomUUID() },
          {
            holder: { actor: "ada", machine: "laptop", attendant: attendantOf(program.pid as number), reason: "" },
            takeOver: false,
            inherit: undefined,
            meta: {},
            projectPath: null,
            version: undefined,
          },
        )
        const refused = (machine: string, takeOver = false) =>
          Effect.flip(deployer.deploy("killed", { takeOver, wait: takeOver ? 0 : 1 })).pipe(on(machine, "ada"))
        yield* begin
        expect((yield* refused("laptop", true)).message).toContain("is about to begin")
        program.kill("SIGKILL")
        yield* Effect.promise(() => once(program, "close"))
        expect((yield* refused("phone", true)).message).toContain("is about to begin")
        // Nobody waits for what never comes.
        const told = Effect.flip(deployer.deploy("killed", { wait: 600_000 })).pipe(on("laptop", "ada"))
        expect(yield* told).toMatchObject({
          message: expect.stringContaining("was about to begin, and never did"),
          next: "whoever began it is gone: --take-over",
        })
        expect((yield* deployer.plan("killed").pipe(on("laptop", "ada"))).problems).toEqual([
          expect.stringContaining("was about to begin, and never did"),
        ])
        expect(yield* deployer.deploy("killed", { takeOver: true }).pipe(on("laptop", "ada"))).toMatchObject({
          status: "success",
        })
        yield* begin
        expect(yield* deployer.lock("killed", { takeOver: true }).pipe(on("laptop", "ada"))).toMatchObject({
          counter: 4,
        })
      }),
    ))

  it("is not taken by a look at the plan", () =>
    onTwo({ name: "planned", deployCommand: "true" }, (laptop, phone) =>
      Effect.gen(function* () {
        yield* laptop.lock("planned", { reason: "friday" })
        const plan = yield* phone.plan("planned")
        expect(plan.lock).toMatchObject({ actor: "ada", machine: "laptop", reason: "friday", state: "hand" })
        expect(plan.problems).toEqual(["it is locked: it is held by hand"])
        expect(counter("planned")).toBe(1)
      }),
    ))
})
