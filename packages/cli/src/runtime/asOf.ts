/** The read models of the past, which say on standard error what moment they show. */
import type { Clock, Last } from "@context-engine/core/services/AsOf"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { moment } from "../render/units.js"
import { say } from "../terminal.js"
import type { LogOptions } from "./log.js"

/** As of `--at`, or `--known-at`; a command line that has both is refused before. */
export const asOf = ({ at, knownAt }: Pick<LogOptions, "at" | "knownAt">) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const by: Clock = at === undefined ? "recorded" : "happened"
      const { layer } = yield* Effect.promise(() => import("@context-engine/core/services/AsOf"))
      return layer(at ?? knownAt ?? "now", { by, tell: announce })
    }),
  )

const announce = (last: Last | undefined): Effect.Effect<void> =>
  say(
    last === undefined
      ? "as of before the first event of the log"
      : `as of position ${last.position} of the log, ${moment(last.at)} UTC`,
  )
