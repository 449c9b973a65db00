import { expect, it } from "vitest"
import { bundle } from "../support/bundle.js"
import { stalls } from "../support/stalls.js"

/** On a busy machine any process stands still at times: what the server itself does holds it up every time. */
const rounds = 5

it("a server answers without a stall while its machine pulls 10,000 events and decides 200 commands again", async () => {
  const program = await bundle()
  for (let round = 1; ; round++) {
    const { alone, syncing } = await stalls({ program, pulled: 10_000, rebased: 200, delay: 300 })
    console.log(`longest stall: ${syncing.toFixed(0)} ms while synchronising, ${alone.toFixed(0)} ms alone`)
    const limit = Math.max(50, 2 * alone)
    if (syncing <= limit) return
    if (round === rounds) expect(syncing).toBeLessThanOrEqual(limit)
  }
}, 600_000)
