/**
 * `npm run simulate`: a thousand stories of machines on a bad network, or as many as the first argument says. They begin at
 * the seed `DURABILITY_SEED`, else anywhere; where something does not hold, the seed of its story is printed.
 */
import { seedOf } from "../packages/store/test/support/random.js"
import { runStories, tellStories } from "./simulate/stories.js"

if (!(await tellStories())) {
  const count = Number(process.argv[2] ?? 1_000)
  const began = performance.now()
  const first = seedOf("simulation")
  const seconds = () => Math.round((performance.now() - began) / 1000)
  const { problems, stories, totals } = await runStories(first, count, (done, bad) =>
    console.log(`  ${seconds()} s: ${done} of ${count} stories, ${bad} problems`),
  )
  console.log(`${stories} stories from seed ${first} on, in ${seconds()} s: ${JSON.stringify(totals)}`)
  if (problems.length > 0 || stories < count) process.exitCode = 1
}
