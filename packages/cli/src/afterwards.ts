/** What is told after a command's own answer: it was done, and what should have followed was not. */
import * as Effect from "effect/Effect"
import type { Refused } from "./usage.js"

let untold: Refused | undefined

/** Keeps a failure until the answer has been given. */
export const failAfterwards = (failure: Refused): Effect.Effect<void> =>
  Effect.sync(() => {
    untold ??= failure
  })

/** Fails with what was kept, if anything. */
export const afterwards: Effect.Effect<void, Refused> = Effect.suspend(() => {
  const failure = untold
  untold = undefined
  return failure ?? Effect.void
})
