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
const past = (moment: string): Layer.Layer<Readers, InvalidInput | StorageError, Sources> =>
  Layer.mergeAll(Registry.layer, Overview.layer, Deployer.layer).pipe(Layer.provide(AsOf.layer(moment)))

/** Answers from the rows as they are now, or as they were at `moment`. */
const reading = <A, E, R extends Readers>(
  moment: string | undefined,
  answer: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | InvalidInput | StorageError, R | Sources> =>
  moment === undefined ? answer : Effect.provide(answer, past(moment))

/** Asks the registry, as of a moment if one is given. */
export const fromRegistry = <A, E>(at: string | undefined, ask: (registry: Registry["Type"]) => Effect.Effect<A, E>) =>
  reading(at, Effect.flatMap(Registry, ask))

/** Asks for past deployments, as of a moment if one is given. */
export const fromHistory = <A, E>(at: string | undefined, ask: (deployer: Deployer["Type"]) => Effect.Effect<A, E>) =>
  reading(at, Effect.flatMap(Deployer, ask))

/** The state of everything, as of a moment if one is given. */
export const overview = (at: string | undefined) =>
  reading(
    at,
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
