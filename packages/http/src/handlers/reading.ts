/** What the handlers share: where a reading request is answered from. */
import { parseMoment } from "@context-engine/core/Time"
import { InvalidInput } from "@context-engine/core/Errors"
import * as AsOf from "@context-engine/core/services/AsOf"
import { Deployer } from "@context-engine/core/services/Deployer"
import { Overview } from "@context-engine/core/services/Overview"
import { Registry } from "@context-engine/core/services/Registry"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The reading services over the past. They answer as the live ones do. */
const past = (moment: string) =>
  Layer.mergeAll(Registry.layer, Overview.layer, Deployer.layer).pipe(Layer.provide(AsOf.layer(moment)))

/** Answers from the rows as they are now, or as they were at `moment`. */
export const reading = <A, E, R>(moment: string | undefined, answer: Effect.Effect<A, E, R>) =>
  moment === undefined ? answer : Effect.provide(answer, past(moment))

/** The instant, in ISO 8601, of a time or a span ago. */
export const since = (text: string | undefined): Effect.Effect<string | undefined, InvalidInput> =>
  text === undefined
    ? Effect.succeed(undefined)
    : Effect.gen(function* () {
        const refused = (reason: string) => new InvalidInput({ field: "since", reason })
        const moment = yield* Effect.mapError(parseMoment(text, yield* Clock.currentTimeMillis), ({ reason }) =>
          refused(reason),
        )
        if (moment._tag === "Instant") return moment.instant
        return yield* refused("must be a time or a span ago such as 2h, not a position")
      })
