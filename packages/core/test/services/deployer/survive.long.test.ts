import { mkdirSync, rmSync } from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, expect, it } from "vitest"
import type { DeployStep, Watch } from "../../../src/services/Deployer.js"
import { startProxy } from "../../support/proxy.js"
import { randomFrom } from "../../support/random.js"
import { describeSshd, type Sshd, startSshd } from "../../support/sshd.js"
import { makeMachines } from "./machines.js"
import { lines, linesText, listener, onMachine, tracks } from "./setting.js"

const seed = Number(process.env.DEPLOY_SEED ?? Math.floor(Math.random() * 2 ** 31))

const random = randomFrom(seed).next

describeSshd(`a deploy survives (DEPLOY_SEED=${seed})`, () => {
  let sshd: Sshd
  const traces = tracks()
  beforeAll(async () => {
    sshd = await startSshd()
  })
  afterAll(async () => {
    await sshd.dispose()
    rmSync(traces.directory, { recursive: true })
  })

  it("20 cuts of its connection at random moments: it ran once, and every line arrived once, in order", async () => {
    const proxy = await startProxy(sshd.port)
    const seen = listener()
    const steps: Array<DeployStep> = []
    const command = `${lines(1_000, "0.008", traces.directory)}; exit 7`
    await onMachine(sshd, { deployCommand: command, through: proxy.port }, (deployer) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const cutting = yield* Effect.fork(
          Effect.gen(function* () {
            yield* Deferred.await(begun)
            for (let n = 0; n < 20; n++) {
              yield* Effect.sleep(100 + random() * 700)
              proxy.cut()
            }
          }),
        )
        const onStep = (step: DeployStep) =>
          Effect.zipRight(
            Effect.sync(() => void steps.push(step)),
            step === "command" ? Deferred.succeed(begun, undefined) : Effect.void,
          )
        const row = yield* deployer.deploy("api", { onOutput: seen.onOutput, onStep })
        yield* Fiber.interrupt(cutting)
        expect(seen.text()).toBe(linesText(1_000))
        expect(traces.read("ran")).toBe("x\n")
        expect(row).toMatchObject({ status: "failed", reason: "the deploy command exited with 7" })
        expect(row.logs).toBe(linesText(1_000))
        expect((yield* deployer.output(row.id)).text).toBe(linesText(1_000))
        expect(steps.filter((step) => step === "reconnecting").length).toBeGreaterThan(0)
      }),
    )
    await proxy.close()
  }, 240_000)

  it("20 times kill -9 of whoever began it: attached from another machine, it ran once and is told whole", async () => {
    const machines = await makeMachines()
    const deployCommand = (name: string) => lines(300, "0.008", traces.path(name))
    const killed = async (n: number) => {
      const name = `killed-${n}`
      mkdirSync(traces.path(name))
      const setup = { name: `api-${n}`, deployCommand: deployCommand(name) }
      const first = machines.start(sshd, setup)
      await first.printed(`line ${Math.floor(random() * 290)}\n`)
      first.process.kill("SIGKILL")
      await first.ended
      const seen = listener()
      const row = await onMachine(sshd, setup, (deployer) => deployer.attach(setup.name, { onOutput: seen.onOutput }))
      expect(linesText(300).startsWith(first.output())).toBe(true)
      expect(seen.text()).toBe(linesText(300))
      expect(traces.read(`${name}/ran`)).toBe("x\n")
      expect(row).toMatchObject({ status: "success", service: setup.name, deployedBy: "ada" })
    }
    for (let n = 0; n < 20; n += 4) await Promise.all([n, n + 1, n + 2, n + 3].map(killed))
    machines.dispose()
  }, 240_000)

  it("its sshd killed and started again in the middle", async () => {
    const seen = listener()
    const command = lines(200, "0.01", traces.path("."))
    const restarting = startSshd()
    const other = await restarting
    await onMachine(other, { deployCommand: command.replace("/ran", "/ran2") }, (deployer) =>
      Effect.gen(function* () {
        const half = yield* Deferred.make<void>()
        const onOutput: Watch["onOutput"] = (chunk) =>
          Effect.zipRight(
            seen.onOutput(chunk),
            seen.text().includes("line 60\n") ? Deferred.succeed(half, undefined) : Effect.void,
          )
        const deploying = yield* Effect.fork(deployer.deploy("api", { onOutput }))
        yield* Deferred.await(half)
        yield* Effect.promise(() => other.restart())
        expect(yield* Fiber.join(deploying)).toMatchObject({ status: "success" })
        expect(seen.text()).toBe(linesText(200))
        expect(traces.read("ran2")).toBe("x\n")
      }),
    )
    await other.dispose()
  }, 240_000)
})
