import { expect, it } from "vitest"
import { seedOf } from "../support/random.js"
import { simulate } from "./simulation.js"

/** As many stories as fit into this time, and some in any case. `npm run simulate` tells a thousand, torture a hundred thousand. */
const milliseconds = 10_000
const atLeast = 25

/** Stories in which something did not hold once. */
it.each([["a machine that is not let in yet gives back another's work, which is refused meanwhile", 343_446_232]])(
  "%s",
  async (_, seed) => {
    expect((await simulate(seed)).problems).toEqual([])
  },
)

it("machines on a bad network converge, lose nothing, and tell every rejection", async () => {
  const began = Date.now()
  const first = seedOf("simulation")
  const total = { stories: 0, events: 0, acknowledged: 0, refused: 0, moot: 0 }
  for (let seed = first; seed < first + atLeast || Date.now() - began < milliseconds; seed++) {
    const { acknowledged, events, moot, problems, refused } = await simulate(seed)
    expect(problems, `DURABILITY_SEED=${seed}`).toEqual([])
    total.stories += 1
    total.events += events
    total.acknowledged += acknowledged
    total.refused += refused
    total.moot += moot
  }
  console.log(`simulation: ${JSON.stringify(total)} in ${Date.now() - began} ms`)
  expect(total.refused).toBeGreaterThan(0)
  expect(total.moot).toBeGreaterThan(0)
}, 120_000)
