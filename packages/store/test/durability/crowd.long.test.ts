import { expect, it } from "vitest"
import { crowd } from "./crowd.js"
import { inSetting, quantile, summary } from "./setting.js"

/** The patience of a person, in milliseconds, for a machine that nobody else keeps busy. */
const target = 100

it("lets 8 processes append 400 times each at once, without an error, a gap or a long wait", { timeout: 240_000 }, () =>
  inSetting(async (setting) => {
    // What one process alone has to wait for is the machine's doing, not that of the other writers.
    const alone = await crowd({ ...setting, name: "alone", writers: 1, readers: 0, appendsEach: 400 })
    console.log(`1 × 400 appends alone: ${summary(alone.latencies)}`)
    const half = Math.max(target, 32 * quantile(alone.latencies, 0.5))
    let late: ReadonlyArray<string> = ["not tried"]
    // All must be whole in each try; in time in one of them, since others may take the processors from us.
    for (let i = 0; i < 4 && late.length > 0; i++) {
      const result = await crowd({ ...setting, name: `crowd-${i}`, writers: 8, readers: 0, appendsEach: 400 })
      const { acknowledged, latencies, perSecond, problems } = result
      console.log(`8 × 400 appends of 3 events: ${summary(latencies)}, ${perSecond.toFixed(0)}/s`)
      expect(problems).toEqual([])
      expect(acknowledged).toBe(8 * 400 * 3)
      const median = quantile(latencies, 0.5)
      // Nobody is left behind: the longest waits are a few turns of all eight, however long a turn takes here.
      const most = Math.max(half, 10 * median)
      late = [
        ...(median < half ? [] : [`half of them waited for ${median} ms, ${half} at most`]),
        ...(quantile(latencies, 0.99) < most ? [] : [`${summary(latencies)}, ${most} ms at most`]),
      ]
    }
    expect(late).toEqual([])
  }),
)

it("shows readers beside them nothing that is not whole", { timeout: 240_000 }, () =>
  inSetting(async (setting) => {
    const result = await crowd({ ...setting, name: "read", writers: 4, readers: 2, appendsEach: 150 })
    expect(result.problems).toEqual([])
    expect(result.wrongReads).toEqual([])
    expect(result.acknowledged).toBe(4 * 150 * 3)
    expect(result.reads).toBeGreaterThan(20)
  }),
)
