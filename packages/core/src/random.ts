/** Random bytes of the platform's secure source, drawn many at once: a call for each id and salt costs more than all else of it. */

const drawn = new Uint8Array(4_096)
let used = drawn.length

/** At most 4,096 bytes that nobody was given before. They are overwritten by a later call: to be used at once. */
export const randomBytes = (count: number): Uint8Array => {
  if (used + count > drawn.length) {
    globalThis.crypto.getRandomValues(drawn)
    used = 0
  }
  used += count
  return drawn.subarray(used - count, used)
}
