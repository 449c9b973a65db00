/** The chance of a test's run. */
export { type Random, randomFrom } from "../../../core/test/support/random.js"

/** The seed of this run: `DURABILITY_SEED`, or a new one. It is printed, so that a failure can be had again. */
export const seedOf = (what: string): number => {
  const given = Number(process.env.DURABILITY_SEED)
  const seed = Number.isInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 2 ** 30)
  console.log(`${what}: DURABILITY_SEED=${seed}`)
  return seed
}
