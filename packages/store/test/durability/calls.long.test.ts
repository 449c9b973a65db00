import { expect, it } from "vitest"
import { killAtCalls, works } from "./calls.js"
import { inSetting } from "./setting.js"
import { noTracing } from "./strace.js"

const missing = noTracing()
if (missing !== undefined) console.log(`not run: kills at system calls, because ${missing}`)

it.skipIf(missing !== undefined).each(works)(
  "%s, killed at some of its system calls, leaves a whole log",
  { timeout: 120_000 },
  (work) =>
    inSetting(async ({ directory }) => {
      const { calls, kills, problems, tried } = await killAtCalls({ directory, work, sample: 4 })
      console.log(`${work}: ${kills} kills at ${tried} of ${calls} calls`)
      expect(problems).toEqual([])
      expect(kills).toBeGreaterThan(tried / 2)
    }),
)
