/** Spans and moments as people write them: `90d`; `2h` ago, `2026-11-01T12:00Z`, or a position in the log. */

import * as Either from "effect/Either"
import { InvalidInput } from "./Errors.js"

const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** A span such as `90d` in milliseconds, or `undefined` if it is not one. */
export const spanMillis = (text: string): number | undefined => {
  const match = /^(\d{1,9})(s|m|h|d|w)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * (units[match[2] as string] as number)
}

/** A moment of the log: a position, or an instant (ISO 8601 UTC). */
export type Moment =
  | { readonly _tag: "Position"; readonly position: number }
  | { readonly _tag: "Instant"; readonly instant: string }

/**
 * Reads `1234` (a position), `2h` (that long before `now`), `now`, or a date or time; a time without a zone is UTC. `field` is
 * what the error names.
 */
export const parseMoment = (text: string, now: number, field = "at"): Either.Either<Moment, InvalidInput> => {
  if (/^\d{1,15}$/.test(text)) return Either.right({ _tag: "Position", position: Number(text) })
  const span = text === "now" ? 0 : spanMillis(text)
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)\s*(Z|[+-]\d{2}:?\d{2})?)?$/.exec(
    text,
  )
  const written = match && Date.parse(`${match[1]}T${match[2] ?? "00:00"}${match[3] ?? "Z"}`)
  const millis = span === undefined ? written : now - span
  return millis === null || Number.isNaN(millis)
    ? Either.left(new InvalidInput({ field, reason: notAMoment(text) }))
    : Either.right({ _tag: "Instant", instant: new Date(millis).toISOString() })
}

const notAMoment = (text: string) =>
  `"${text}" is not a moment: say 2026-11-01T12:00Z, 2h (that long ago), now, or 1234 (a position in the log)`
