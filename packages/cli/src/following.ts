/** Follows deployments as they run: what they print is shown as it comes, on standard error if the answer is to be JSON. */
import type { Deployer, Watch } from "@context-engine/core/services/Deployer"
import * as Effect from "effect/Effect"
import { detachable } from "./detaching.js"
import { makeSteps } from "./steps.js"
import { makeStream, type OutputStream, speaker } from "./stream.js"
import { progress, relabel } from "./terminal.js"

export interface Following {
  readonly json: boolean
  /** What the progress line says at first. */
  readonly title: string
  /** Whether several are followed at once, so that each line says whose it is. */
  readonly many?: boolean
  /** Whether to say which deployment it is. */
  readonly named?: boolean
}

/** Runs deployments with a watch for each service by its name. */
export const follow = <A>(
  deployer: Deployer["Type"],
  { json, many = false, named = false, title }: Following,
  run: (watch: (service: string) => Watch) => Effect.Effect<A, unknown>,
): Effect.Effect<A, unknown> =>
  Effect.gen(function* () {
    const gate = yield* Effect.makeLatch(true)
    const running = new Map<string, string>()
    const streams: Array<OutputStream> = []
    const watch = (service: string): Watch => {
      const style = speaker(streams.length)
      const stream = makeStream({ toStandardError: json, gate, ...(many ? { prefix: { text: service, style } } : {}) })
      streams.push(stream)
      const steps = makeSteps(stream.heading, (text) =>
        relabel(many ? `${title}: ${[...running.keys()].join(", ")}` : `${service}: ${text}`),
      )
      return {
        onOutput: stream.write,
        onStep: (step, detail) => {
          if (step === "done") running.delete(service)
          return steps(step, detail)
        },
        onBegin: (id) => {
          running.set(service, id)
          return named ? stream.heading(`watching deployment ${id}`) : Effect.void
        },
      }
    }
    const ends = Effect.suspend(() => Effect.forEach(streams, (stream) => stream.end, { discard: true }))
    const watching = Effect.suspend(() => run(watch)).pipe(Effect.ensuring(ends), progress(title))
    return yield* detachable(deployer, { running: () => [...running.values()], gate, more: many }, watching)
  })
