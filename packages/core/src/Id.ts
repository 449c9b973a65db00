/** UUIDv7: ids that sort by the time they were made (RFC 9562, section 5.7). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { randomBytes } from "./random.js"

const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** The id for an instant (milliseconds since 1970) and ten random bytes. */
export const fromParts = (millis: number, random: Uint8Array): string => {
  const time = Math.floor(millis).toString(16).padStart(12, "0")
  const hex = (index: number, and = 0xff, or = 0) => hexOf[((random[index] ?? 0) & and) | or]
  const version = `${hex(0, 0x0f, 0x70)}${hex(1)}-${hex(2, 0x3f, 0x80)}${hex(3)}`
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${hex(4)}${hex(5)}${hex(6)}${hex(7)}${hex(8)}${hex(9)}`
}

/** A new id for an instant, from the platform's secure random source. */
export const at = (millis: number): string => fromParts(millis, randomBytes(10))

/** A new id, for now by the runtime's clock. */
export const make: Effect.Effect<string> = Effect.map(Clock.currentTimeMillis, at)
