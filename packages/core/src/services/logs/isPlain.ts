/** Whether bytes can be shown as they are. It is asked of every byte of a log: a loop, and nothing else, four bytes at a time. */

const tab = 0x09
const newline = 0x0a

const isContinuation = (byte: number | undefined): boolean => ((byte as number) & 0xc0) === 0x80

/** The high bits of those of four bytes that are not printable ASCII: they have it, or get it less 0x20 or plus 1. */
const unprintable = (word: number): number => (word | (word - 0x20202020) | (word + 0x01010101)) & 0x80808080

/** Which byte has the lowest of these bits. What is above that one may have been borrowed from. */
const firstOf = (bits: number): number => (31 - Math.clz32(bits & -bits)) >> 3

/**
 * Whether the first `end` bytes are UTF-8 without control characters, without what turns text around or what some take for the
 * end of a line, and with no line of more than `longest` bytes. They have to end with a newline, if there are any.
 */
export const isPlain = (bytes: Uint8Array, end: number, longest: number): boolean => {
  let lineStart = 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, end)
  for (let i = 0; i < end; ) {
    while (i + 4 <= end) {
      const others = unprintable(view.getInt32(i, true))
      if (others === 0) i += 4
      else {
        i += firstOf(others)
        break
      }
    }
    if (i === end) break
    const byte = bytes[i] as number
    if (byte === newline) {
      if (i - lineStart > longest) return false
      lineStart = ++i
    } else if (byte < 0x80) {
      if ((byte < 0x20 && byte !== tab) || byte === 0x7f) return false
      i++
    } else {
      const length = sequence(bytes, i)
      if (length === 0) return false
      i += length
    }
  }
  return true
}

/** How long the character is that begins here; 0 if it is none, or not a plain one. */
const sequence = (bytes: Uint8Array, at: number): 0 | 2 | 3 | 4 => {
  const first = bytes[at] as number
  const second = bytes[at + 1] as number
  if (first < 0xc2 || !isContinuation(second)) return 0
  if (first < 0xe0) return (first === 0xc2 && second < 0xa0) || (first === 0xd8 && second === 0x9c) ? 0 : 2
  const third = bytes[at + 2] as number
  if (!isContinuation(third)) return 0
  if (first < 0xf0) {
    if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second >= 0xa0)) return 0
    // A byte order mark is not to be seen.
    if (first === 0xef && second === 0xbb && third === 0xbf) return 0
    return first === 0xe2 && turns(((second & 0x3f) << 6) | (third & 0x3f)) ? 0 : 3
  }
  if (first > 0xf4 || !isContinuation(bytes[at + 3])) return 0
  return (first === 0xf0 && second < 0x90) || (first === 0xf4 && second >= 0x90) ? 0 : 4
}

/** Of the characters from U+2000 on: marks and embeddings of direction, isolates, ends of lines and paragraphs. */
const turns = (low: number): boolean =>
  low === 0x0e || low === 0x0f || (low >= 0x28 && low <= 0x2e) || (low >= 0x66 && low <= 0x69)
