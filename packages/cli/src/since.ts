/** Moments that people name as the beginning of what they want to see. */
import * as Effect from "effect/Effect"
import { load } from "./runtime.js"
import { UsageError } from "./usage.js"

/** The instant that `--since` names: `2h` ago, or a time. `see` is the command, for the message. */
export const instant = (since: string | undefined, see: string): Effect.Effect<string | undefined, UsageError> =>
  since === undefined
    ? Effect.succeed(undefined)
    : load(
        () => import("@context-engine/core/Time"),
        ({ parseMoment }) => {
          const read = parseMoment(since, Date.now())
          return read._tag === "Right" && read.right._tag === "Instant"
            ? Effect.succeed(read.right.instant)
            : new UsageError({
                message: `--since must be a span such as 2h or a time such as 2026-11-01T12:00Z, not ${JSON.stringify(since)}`,
                see: `context infra ${see} --help`,
              })
        },
      )

/** Milliseconds of a span such as `60s`; `undefined` where none is given. */
export const millis = (
  option: string,
  span: string | undefined,
  see: string,
): Effect.Effect<number | undefined, UsageError> =>
  span === undefined
    ? Effect.succeed(undefined)
    : load(
        () => import("@context-engine/core/Time"),
        ({ spanMillis }) => {
          const read = spanMillis(span)
          return read === undefined
            ? new UsageError({
                message: `${option} must be a span such as 60s, 5m, 2h or 90d, not ${JSON.stringify(span)}`,
                see: `context infra ${see} --help`,
              })
            : Effect.succeed(read)
        },
      )
