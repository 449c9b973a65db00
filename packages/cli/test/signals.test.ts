/** Between the start of a command and its taking of Ctrl-C into its own hands no signal is lost. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { expect, it } from "vitest"
import { takeSignals } from "../src/detaching.js"

it("there is never a moment without a listener: one that came, and is not told yet, would be lost in it", async () => {
  const left: Array<number> = []
  const others: Array<string> = []
  const other = () => void others.push("other")
  // Told after each removal.
  const watch = (name: string | symbol) => void (name === "SIGUSR2" || left.push(process.listenerCount(String(name))))
  process.on("SIGTERM", other).on("SIGINT", other).on("removeListener", watch)
  const before = ["SIGINT", "SIGTERM"].map((name) => process.listeners(name as "SIGINT").length)
  const taken = Effect.gen(function* () {
    const signals = yield* takeSignals
    process.emit("SIGTERM", "SIGTERM")
    return yield* Queue.take(signals)
  })
  expect(await Effect.runPromise(Effect.scoped(taken))).toBe("SIGTERM")
  process.removeListener("removeListener", watch)
  expect(others).toEqual([])
  expect(left.length).toBeGreaterThanOrEqual(4)
  expect(Math.min(...left)).toBeGreaterThan(0)
  // And all are there again.
  expect(["SIGINT", "SIGTERM"].map((name) => process.listeners(name as "SIGINT").length)).toEqual(before)
  process.removeListener("SIGTERM", other).removeListener("SIGINT", other)
})
