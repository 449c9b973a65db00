import { EventLog } from "@context-engine/core/EventLog"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect, it } from "vitest"
import { Patience } from "../../src/Database.js"
import { layer } from "../../src/layer.js"
import { single } from "./appends.js"
import type { Worker } from "./processes.js"
import { inSetting, quantile } from "./setting.js"
import { problemsOf } from "./verify.js"

const append = Effect.suspend(() => Effect.flatMap(EventLog, (log) => log.append(single())))

/** How an append ended, as a value: what it appended or why it could not. */
const outcome = Effect.match(append, { onFailure: (error) => error as object, onSuccess: (events) => events })

/** The gaps between the ticks of a timer of 5 ms, while an effect runs: what a person would feel as a freeze. */
const gapsDuring = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const gaps: Array<number> = []
    let last = performance.now()
    const timer = setInterval(() => {
      gaps.push(performance.now() - last)
      last = performance.now()
    }, 5)
    const result = yield* Effect.ensuring(
      effect,
      Effect.sync(() => clearInterval(timer)),
    )
    return { result, gaps }
  })

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, result]) => ({ milliseconds: Duration.toMillis(duration), result }))

const holding = (story: (setting: { path: string; holder: Worker }) => Effect.Effect<void, any, EventLog>) =>
  inSetting(async ({ directory, workers }) => {
    const path = `${directory}/infra.db`
    const whole = Effect.gen(function* () {
      yield* append
      const holder = workers.start("hold", path)
      yield* Effect.promise(() => holder.hear("held"))
      yield* story({ path, holder })
    })
    await Effect.runPromise(Effect.provide(whole, layer(path)))
    expect(problemsOf(path)).toEqual([])
  })

const letGo = (holder: Worker) =>
  Effect.promise(() => {
    holder.tell("let go")
    return holder.hear("done")
  })

it("fails as busy when the lock is held for too long, and works at once when it is free", () =>
  holding(({ holder }) =>
    Effect.gen(function* () {
      const impatient = Effect.provideService(outcome, Patience, Duration.millis(200))
      for (let i = 0; i < 3; i++) {
        const { milliseconds, result } = yield* timed(impatient)
        expect(result).toMatchObject({ _tag: "StorageError", reason: "busy" })
        expect(milliseconds).toBeGreaterThanOrEqual(199)
        expect(milliseconds).toBeLessThan(5_000)
      }
      expect(yield* Effect.flatMap(EventLog, (log) => log.head)).toBe(1)
      yield* letGo(holder)
      const { milliseconds, result } = yield* timed(append)
      expect(result).toMatchObject([{ position: 2 }])
      expect(milliseconds).toBeLessThan(5_000)
    }),
  ))

it("lets all give up in their time, however many wait before them", () =>
  holding(() =>
    Effect.gen(function* () {
      // Several groups' worth: the last must not wait for the patience of all before it.
      const all = Effect.replicateEffect(outcome, 300, { concurrency: "unbounded" })
      const { milliseconds, result } = yield* timed(Effect.provideService(all, Patience, Duration.millis(300)))
      expect(result.filter((one) => !("reason" in one) || one.reason !== "busy")).toEqual([])
      expect(milliseconds).toBeLessThan(5_000)
    }),
  ))

it("waits without stopping the event loop, and goes on when its turn comes", () =>
  holding(({ holder }) =>
    Effect.gen(function* () {
      const waiting = yield* Effect.fork(append)
      const { gaps } = yield* gapsDuring(Effect.sleep("1 seconds"))
      console.log(`the event loop while waiting: longest gap ${quantile(gaps, 1).toFixed(1)} ms, of ${gaps.length}`)
      // A blocked loop shows as a gap in each try; a machine that others keep busy, as a few.
      expect(quantile(gaps, 0.98)).toBeLessThan(50)
      yield* letGo(holder)
      expect(yield* waiting.await.pipe(Effect.flatten)).toMatchObject([{ position: 2 }])
    }),
  ))

it("keeps reading while another holds the lock", () =>
  holding(({ path }) =>
    Effect.gen(function* () {
      const head = Effect.flatMap(EventLog, (log) => log.head)
      expect(yield* head).toBe(1)
      // A program that starts now has nothing to write, so nothing to wait for.
      expect(yield* Effect.provide(head, Layer.fresh(layer(path)))).toBe(1)
    }),
  ))
