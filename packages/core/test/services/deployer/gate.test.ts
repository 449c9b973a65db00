import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import { describe, expect, it } from "vitest"
import type { HealthStatus } from "../../../src/domain/Service.js"
import { awaitHealth } from "../../../src/services/deployer/gate.js"

/** What the gate makes of answers given in this order, the last one for ever, and how long it took. */
const through = (answers: ReadonlyArray<HealthStatus>, gate: { timeout: number; count: number }, patience?: number) =>
  Effect.gen(function* () {
    let asked = 0
    const ask = Effect.sync(() => ({
      service: "api",
      server: "host",
      status: answers[Math.min(asked++, answers.length - 1)] as HealthStatus,
      detail: "as told",
      latency: null,
      checkedAt: "",
    }))
    const waiting = yield* Effect.fork(awaitHealth(ask, gate, patience))
    let seconds = 0
    while ((yield* Fiber.poll(waiting))._tag === "None" && seconds < 10_000) {
      yield* TestClock.adjust("100 millis")
      seconds += 0.1
    }
    return { report: yield* Fiber.join(waiting), asked, seconds }
  }).pipe(Effect.provide(TestContext.TestContext), Effect.runPromise)

describe("the health gate", () => {
  it("wants as many good answers in a row as it is told", async () => {
    const { asked, report } = await through(["healthy", "unhealthy", "healthy", "healthy", "healthy"], {
      timeout: 10_000,
      count: 3,
    })
    expect(report.status).toBe("healthy")
    expect(asked).toBe(5)
  })

  it("gives up when its time is over", async () => {
    const { report, seconds } = await through(["unhealthy"], { timeout: 5_000, count: 2 })
    expect(report.status).toBe("unhealthy")
    expect(seconds).toBeGreaterThanOrEqual(5)
    expect(seconds).toBeLessThan(6)
  })

  it("does not count the time in which the host was out of reach", async () => {
    const away = Array<HealthStatus>(60).fill("unknown")
    const { report, seconds } = await through([...away, "healthy"], { timeout: 5_000, count: 2 })
    expect(report.status).toBe("healthy")
    expect(seconds).toBeGreaterThan(100)
  })

  it("does not wait for ever for a host that is out of reach", async () => {
    const { report, seconds } = await through(["unknown"], { timeout: 5_000, count: 2 }, 60_000)
    expect(report.status).toBe("unknown")
    expect(seconds).toBeLessThan(65)
  })
})
