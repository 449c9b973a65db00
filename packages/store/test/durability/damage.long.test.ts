import { expect, it } from "vitest"
import { seedOf } from "../support/random.js"
import { type Damaged, damagePages, damageWal } from "./damage.js"
import { inSetting } from "./setting.js"

const told = (what: string, { counts, slowest }: Damaged) =>
  console.log(`${what}: ${JSON.stringify(counts)}, slowest ${slowest.toFixed(0)} ms`)

it(
  "gives a prefix of whole appends, wherever the write-ahead log is cut or a bit of it flipped",
  { timeout: 240_000 },
  () =>
    inSetting(async (setting) => {
      const result = await damageWal({ ...setting, seed: seedOf("wal"), appends: 20, variants: 100 })
      told("damaged write-ahead logs", result)
      expect(result.problems).toEqual([])
    }),
)

it("names a damaged page, or finds it when the log is verified", { timeout: 240_000 }, () =>
  inSetting(async (setting) => {
    const result = await damagePages({ ...setting, seed: seedOf("pages"), appends: 40, variants: 100 })
    told("damaged pages", result)
    expect(result.problems).toEqual([])
  }),
)
