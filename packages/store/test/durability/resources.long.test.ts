import { existsSync } from "node:fs"
import { expect, it } from "vitest"
import { inSetting } from "./setting.js"
import { problemsOf } from "./verify.js"

const onLinux = existsSync("/proc/self/fd")

it.skipIf(!onLinux)("holds as many files and as much memory after 10,000 appends as before", { timeout: 120_000 }, () =>
  inSetting(async ({ directory, workers }) => {
    const path = `${directory}/infra.db`
    const { result } = await workers.start("grow", path, 10_000, 1_000).hear("result")
    const samples = result as ReadonlyArray<{ descriptors: number; heapUsed: number; rss: number }>
    const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20)
    console.log(
      samples.map((s) => `${s.descriptors} files, ${megabytes(s.heapUsed)}/${megabytes(s.rss)} MB`).join("; "),
    )
    // The first thousand warm it up; what is not given back by then would grow nine times more.
    expect(new Set(samples.slice(1).map((sample) => sample.descriptors)).size).toBe(1)
    expect(megabytes(samples.at(-1)!.heapUsed - samples[1]!.heapUsed)).toBeLessThan(8)
    expect(megabytes(samples.at(-1)!.rss - samples[1]!.rss)).toBeLessThan(64)
    expect(problemsOf(path)).toEqual([])
  }),
)

it.skipIf(!onLinux)("gives every file back when it is closed", () =>
  inSetting(async ({ directory, workers }) => {
    const { result } = await workers.start("reopen", `${directory}/infra.db`, 50).hear("result")
    expect(result.after).toBe(result.before)
  }),
)
