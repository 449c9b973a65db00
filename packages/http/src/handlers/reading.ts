/** What the handlers share: where a reading request is answered from. */

import type { Commands } from "@context-engine/core/Commands"
import type { DeployLogs } from "@context-engine/core/DeployLogs"
import { InvalidInput, type StorageError } from "@context-engine/core/Errors"
import * as AsOf from "@context-engine/core/services/AsOf"
import { Deployer } from "@context-engine/core/services/Deployer"
import type { Health } from "@context-engine/core/services/Health"
import type { Hosts } from "@context-engine/core/services/Hosts"
import { Overview } from "@context-engine/core/services/Overview"
import { Registry } from "@context-engine/core/services/Registry"
import { parseMoment } from "@context-engine/core/Time"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

type Readers = Registry | Overview | Deployer
type Sources = Layer.Layer.Context<ReturnType<typeof AsOf.layer>> | Commands | DeployLogs | Health | Hosts

/** The reading services over the past. They answer as the live ones do. */
const past = (moment: string, by: AsOf.Clock): Layer.Layer<Readers, InvalidInput | StorageError, Sources> =>
  Layer.mergeAll(Registry.layer, Overview.layer, Deployer.layer).pipe(Layer.provide(AsOf.layer(moment, { by })))

/** As of when: what had happened then, or what this log had recorded by then. */
interface Asked {
  readonly at?: string | undefined
  readonly knownAt?: string | undefined
}

/** Answers from the rows as they are now, or as they were. */
const reading = <A, E, R extends Readers>(
  { at, knownAt }: Asked,
  answer: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | InvalidInput | StorageError, R | Sources> => {
  if (at !== undefined && knownAt !== undefined)
    return new InvalidInput({ field: "knownAt", reason: "at asks what had happened, knownAt what was known: give one" })
  if (knownAt !== undefined) return Effect.provide(answer, past(knownAt, "recorded"))
  return at === undefined ? answer : Effect.provide(answer, past(at, "happened"))
}

/** Asks the registry, as of a moment if one is given. */
export const fromRegistry = <A, E>(asked: Asked, ask: (registry: Registry["Type"]) => Effect.Effect<A, E>) =>
  reading(asked, Effect.flatMap(Registry, ask))

/** Asks for past deployments, as of a moment if one is given. */
export const fromHistory = <A, E>(asked: Asked, ask: (deployer: Deployer["Type"]) => Effect.Effect<A, E>) =>
  reading(asked, Effect.flatMap(Deployer, ask))

/** The state of everything, as of a moment if one is given. */
export const overview = (asked: Asked) =>
  reading(
    asked,
    Effect.flatMap(Overview, (_) => _.status),
  )

/** The instant, in ISO 8601, of a time or a span ago. */
export const since = (text: string | undefined): Effect.Effect<string | undefined, InvalidInput> =>
  text === undefined
    ? Effect.succeed(undefined)
    : Effect.gen(function* () {
        const moment = yield* parseMoment(text, yield* Clock.currentTimeMillis, "since")
        if (moment._tag === "Instant") return moment.instant
        const reason = "must be a time or a span ago such as 2h, not a position"
        return yield* new InvalidInput({ field: "since", reason })
      })
