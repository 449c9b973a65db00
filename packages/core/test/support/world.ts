/** Everything but the file: all services over a log in memory, with this machine as the only host there is. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Commands } from "../../src/Commands.js"
import type { EventLog } from "../../src/EventLog.js"
import { Origin } from "../../src/Origin.js"
import type { ReadModels } from "../../src/ReadModels.js"
import * as Local from "../../src/Remote/Local.js"
import * as Services from "../../src/services/layer.js"
import { layerMemory } from "../../src/testing/memory.js"

export type World = Services.Services | EventLog | ReadModels | Commands

export const layer = Layer.provideMerge(Services.layer, Layer.merge(layerMemory(), Local.layer)).pipe(
  Layer.provide(Layer.succeed(Origin, { actor: "ada", via: "library", machine: "test" })),
)

/** Runs a story in a world of its own. */
export const inWorld = <A, E>(story: Effect.Effect<A, E, World>): Promise<A> =>
  Effect.runPromise(
    story.pipe(
      Effect.provide(layer),
      Effect.provideService(Origin, { actor: "ada", via: "library", machine: "test" }),
      Effect.scoped,
    ),
  )
