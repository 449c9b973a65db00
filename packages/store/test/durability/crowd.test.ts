import { expect, it } from "vitest"
import { crowd } from "./crowd.js"
import { inSetting, quantile, summary } from "./setting.js"

it("lets 8 processes append at once, and others read, without an error or a gap", { timeout: 120_000 }, () =>
  inSetting(async (setting) => {
    const result = await crowd({ ...setting, writers: 8, readers: 2, appendsEach: 400 })
    const { acknowledged, latencies, perSecond, problems, reads, wrongReads } = result
    console.log(`8 × 400 appends of 3 events: ${summary(latencies)}, ${perSecond.toFixed(0)}/s; ${reads} reads beside`)
    expect(problems).toEqual([])
    expect(wrongReads).toEqual([])
    expect(acknowledged).toBe(8 * 400 * 3)
    expect(reads).toBeGreaterThan(20)
    expect(quantile(latencies, 0.99)).toBeLessThan(100)
  }),
)
