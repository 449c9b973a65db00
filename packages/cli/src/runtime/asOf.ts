/** The read models of the past, which say on standard error what moment they show. */
import type { Recorded } from "@context-engine/core/Event"
import type { Clock } from "@context-engine/core/services/AsOf"
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
      return layer(at ?? knownAt ?? "now", { by, tell: (last) => announce(last, by) })
    }),
  )

const announce = (last: Recorded | undefined, by: Clock): Effect.Effect<void> =>
  say(
    last === undefined
      ? "as of before the first event of the log"
      : `as of position ${last.position} of the log, ${moment(timeOf(last, by))} UTC`,
  )

const timeOf = ({ occurredAt, recordedAt }: Recorded, by: Clock): string =>
  by === "happened" && occurredAt < recordedAt ? occurredAt : recordedAt
