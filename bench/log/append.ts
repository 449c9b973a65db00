/** Appending, beside raw inserts and beside another event store, in turns so that the machine's moods hit both alike. */
import { EventLog } from "@context-engine/core/EventLog"
import { layer } from "@context-engine/store/layer"
import * as Effect from "effect/Effect"
import { makeEmmett } from "./emmett.js"
import { check, fleet } from "./events.js"
import { makeRaw } from "./raw.js"
import { median, quantile, type Row, time } from "./stats.js"

const ms = (value: number) => `${value.toFixed(3)} ms`
const percent = (value: number) => `${Math.round(value * 100)} %`

export const measureAppend = (directory: string): Promise<ReadonlyArray<Row>> =>
  Effect.gen(function* () {
    const log = yield* EventLog
    yield* log.append(fleet())
    const raw = makeRaw(`${directory}/raw.db`)
    const emmett = yield* Effect.promise(() => makeEmmett(`${directory}/emmett.db`))
    let n = 0
    const next = () => check(n++)
    const append = (appends: ReadonlyArray<ReturnType<typeof next>>) => Effect.runPromise(log.append(appends))

    const single = { ours: [] as Array<number>, raw: [] as Array<number>, emmett: [] as Array<number> }
    const fibers: Array<number> = []
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 100; i++) {
        const one = next()
        single.raw.push(yield* Effect.promise(() => time(() => raw.one(one))))
      }
      yield* Effect.forEach(Array.from({ length: 100 }), () => {
        const started = performance.now()
        return Effect.map(log.append([next()]), () => single.ours.push(performance.now() - started))
      })
      const started = performance.now()
      yield* Effect.forEach(Array.from({ length: 160 }), () => log.append([next()]), { concurrency: 16, discard: true })
      fibers.push((performance.now() - started) / 160)
      for (let i = 0; emmett !== undefined && i < 20; i++) {
        const one = next()
        single.emmett.push(yield* Effect.promise(() => time(() => emmett.append(one))))
      }
    }
    const batches = { ours: [] as Array<number>, raw: [] as Array<number> }
    for (let round = 0; round < 100; round++) {
      const [a, b] = [Array.from({ length: 100 }, next), Array.from({ length: 100 }, next)]
      batches.raw.push(yield* Effect.promise(() => time(() => raw.batch(a))))
      batches.ours.push(yield* Effect.promise(() => time(() => append(b))))
    }
    raw.close()
    return rows(single, fibers, batches)
  }).pipe(Effect.provide(layer(`${directory}/ours.db`)), Effect.runPromise)

const rows = (
  single: { readonly ours: Array<number>; readonly raw: Array<number>; readonly emmett: Array<number> },
  fibers: Array<number>,
  batches: { readonly ours: Array<number>; readonly raw: Array<number> },
): ReadonlyArray<Row> => {
  const rate = median(single.raw) / median(single.ours)
  const p99 = quantile(single.ours, 0.99)
  const over = median(single.emmett) / median(single.ours)
  const batch = median(batches.raw) / median(batches.ours)
  return [
    {
      what: "append one event",
      figure: `${ms(median(single.ours))}, p99 ${ms(p99)} (${percent(rate)} of raw)`,
      baseline: `raw insert ${ms(median(single.raw))}, p99 ${ms(quantile(single.raw, 0.99))}`,
      reach: "≥ 50 % of raw, p99 < 2 ms",
      ok: rate >= 0.5 && p99 < 2,
    },
    {
      what: "append one event, against emmett-sqlite",
      figure: single.emmett.length === 0 ? "not measured" : `${over.toFixed(1)} × as fast`,
      baseline: single.emmett.length === 0 ? "it could not be installed" : ms(median(single.emmett)),
      reach: "≥ 5 ×",
      ok: over >= 5,
    },
    {
      what: "16 fibers appending at once",
      figure: `${ms(median(fibers))} each (${(median(single.ours) / median(fibers)).toFixed(1)} × the single appender)`,
      baseline: `one fiber ${ms(median(single.ours))}`,
      reach: "≥ 2 ×",
      ok: median(single.ours) / median(fibers) >= 2,
    },
    {
      what: "append 10,000 in batches of 100",
      figure: `${ms(median(batches.ours))} a batch, p99 ${ms(quantile(batches.ours, 0.99))} (${percent(batch)} of raw)`,
      baseline: `raw multi-row inserts ${ms(median(batches.raw))}, p99 ${ms(quantile(batches.raw, 0.99))}`,
      reach: "≥ 50 % of raw",
      ok: batch >= 0.5,
    },
  ]
}
