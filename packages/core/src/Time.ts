/** Spans and moments as people write them: `90d`; `2h` ago, `2026-11-01T12:00Z`, or a position in the log. */

import * as Either from "effect/Either"
import { InvalidInput } from "./Errors.js"

const units: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** Some thirty thousand years: a longer span leads out of the calendar. */
const longest = 1e15

/** A span such as `90d` in milliseconds, or `undefined` if it is not one. */
export const spanMillis = (text: string): number | undefined => {
  const match = /^(\d{1,9})(s|m|h|d|w)$/.exec(text)
  const millis = match === null ? undefined : Number(match[1]) * (units[match[2] as string] as number)
  return millis === undefined || millis > longest ? undefined : millis
}

/**
 * The time that a date or a time of ISO 8601 names, in milliseconds since 1970; without a zone it is UTC. `undefined` if it is
 * neither, or of a day that no calendar has: the 31st of November is not the 1st of December.
 */
export const instantMillis = (text: string): number | undefined => {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)\s*(Z|[+-]\d{2}:?\d{2})?)?$/.exec(
    text,
  )
  const [, day = "", time = "00:00", zone = "Z"] = match ?? []
  const midnight = Date.parse(`${day}T00:00Z`)
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined
  const millis = Date.parse(`${day}T${time}${zone}`)
  return Number.isNaN(millis) ? undefined : millis
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
  const millis = span === undefined ? instantMillis(text) : now - span
  return millis === undefined
    ? Either.left(new InvalidInput({ field, reason: notAMoment(text) }))
    : Either.right({ _tag: "Instant", instant: new Date(millis).toISOString() })
}

const notAMoment = (text: string) =>
  `"${text}" is not a moment: say 2026-11-01T12:00Z, 2h (that long ago), now, or 1234 (a position in the log)`

const [first, last] = [0, Date.parse("9999-12-31T23:59:59.999Z")]

/**
 * So many milliseconds after 1970 as ISO 8601 in UTC. Times are compared as texts, which is right for years of four digits: a clock,
 * or what another says of it, that leads out of them is taken for the nearest that does not.
 */
export const isoTime = (millis: number): string => new Date(Math.min(last, Math.max(first, millis))).toISOString()
