/** UUIDv7: ids that sort by the time they were made (RFC 9562, section 5.7). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** The id for an instant (milliseconds since 1970) and ten random bytes. */
export const fromParts = (millis: number, random: Uint8Array): string => {
  const hex = (n: number, width: number) => n.toString(16).padStart(width, "0")
  const time = hex(Math.floor(millis), 12)
  const bytes = Array.from(random)
  bytes[0] = 0x70 | ((bytes[0] ?? 0) & 0x0f)
  bytes[2] = 0x80 | ((bytes[2] ?? 0) & 0x3f)
  const tail = bytes.map((byte) => hex(byte, 2)).join("")
  return `${time.slice(0, 8)}-${time.slice(8)}-${tail.slice(0, 4)}-${tail.slice(4, 8)}-${tail.slice(8)}`
}

/** Random bytes are drawn for many ids at once: a call for each costs more than all else of an id. */
const drawn = new Uint8Array(640)
let used = drawn.length

const random = (count: number): Uint8Array => {
  if (used + count > drawn.length) {
    globalThis.crypto.getRandomValues(drawn)
    used = 0
  }
  used += count
  return drawn.subarray(used - count, used)
}

/** A new id, from the runtime's clock and the platform's secure random source. */
export const make: Effect.Effect<string> = Effect.map(Clock.currentTimeMillis, (millis) =>
  fromParts(millis, random(10)),
)
