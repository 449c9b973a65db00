/** A network that loses, doubles and delays what is sent, and lets other things happen meanwhile. The same seed, the same faults. */
import { SyncError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type { Batch } from "../../src/sync/RemoteLog.js"
import type { Random } from "./random.js"

export interface Network {
  /** The way of one machine to the shared log. */
  readonly link: (name: string) => Batch
  readonly partition: (name: string, apart: boolean) => void
  /** From now on nothing is lost any more, and what is still under way arrives. */
  readonly calm: () => Promise<void>
  /** Nothing is lost while this is done. */
  readonly smoothly: (what: () => Promise<unknown>) => Promise<void>
}

const offline = (message: string) => new SyncError({ reason: "offline", message })

/** `meanwhile` is what may happen while a request or its answer is under way. */
export const makeNetwork = (random: Random, to: Batch, meanwhile: (name: string) => Promise<void>): Network => {
  const apart = new Set<string>()
  const underWay: Array<Effect.Effect<unknown, SyncError>> = []
  let rough = true
  const deliverOne = Effect.suspend(() => {
    const [late] = underWay.splice(random.below(Math.max(1, underWay.length)), 1)
    return late === undefined ? Effect.void : Effect.ignore(late)
  })
  const link =
    (name: string): Batch =>
    (statements, mode) =>
      Effect.gen(function* () {
        if (!rough) return yield* to(statements, mode)
        if (apart.has(name)) return yield* offline("partitioned")
        if (random.next() < 0.3) yield* Effect.promise(() => meanwhile(name))
        if (random.next() < 0.2) yield* deliverOne
        const fate = random.next()
        if (fate < 0.08) return yield* offline("the request was lost")
        if (fate < 0.16) {
          underWay.push(to(statements, mode))
          return yield* offline("the request is late")
        }
        const answer = yield* to(statements, mode)
        if (fate < 0.24) yield* Effect.ignore(to(statements, mode))
        if (fate < 0.32) underWay.push(to(statements, mode))
        if (random.next() < 0.3) yield* Effect.promise(() => meanwhile(name))
        if (fate > 0.9) return yield* offline("the answer was lost")
        return answer
      })
  return {
    link,
    partition: (name, isApart) => void (isApart ? apart.add(name) : apart.delete(name)),
    smoothly: async (what) => {
      rough = false
      await what()
      rough = true
    },
    calm: async () => {
      rough = false
      apart.clear()
      for (const late of underWay.splice(0)) await Effect.runPromise(Effect.ignore(late))
    },
  }
}
