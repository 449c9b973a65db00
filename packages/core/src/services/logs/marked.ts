/** Takes apart what a host prints of a log: its bytes, and between them what is said about them. */

const separator = 0x1e
const lineEnd = 0x0a

/** Bytes of the log, or the words after a token. */
export type Piece = Uint8Array | ReadonlyArray<string>

/** Reads `<record separator><token> <words>\n` out of bytes. However they come, the pieces are the same. */
export class MarkedReader {
  readonly #mark: Uint8Array
  #open: Uint8Array = new Uint8Array(0)

  constructor(token: string) {
    this.#mark = new TextEncoder().encode(`\u001e${token} `)
  }

  push(data: Uint8Array): ReadonlyArray<Piece> {
    const bytes = this.#open.length === 0 ? data : joined(this.#open, data)
    const pieces: Array<Piece> = []
    const give = (from: number, to: number) => {
      if (to > from) pieces.push(bytes.subarray(from, to))
    }
    let from = 0
    for (let at = bytes.indexOf(separator); at !== -1; at = bytes.indexOf(separator, at + 1)) {
      if (!this.#isMark(bytes, at)) continue
      const end = bytes.indexOf(lineEnd, at)
      give(from, at)
      from = end === -1 ? at : end + 1
      if (end === -1) break
      pieces.push(new TextDecoder().decode(bytes.subarray(at + this.#mark.length, end)).split(" "))
      at = end
    }
    const isOpen = from < bytes.length && this.#isMark(bytes, from)
    // Only the beginning of a mark is kept back; it is copied, as whoever gave the bytes may use them again.
    const end = isOpen ? from : bytes.length - this.#begun(bytes, from)
    give(from, end)
    this.#open = copied(bytes, end)
    return pieces
  }

  /** Whether a mark, or as much of one as there is, begins here. */
  #isMark(bytes: Uint8Array, at: number): boolean {
    const length = Math.min(this.#mark.length, bytes.length - at)
    for (let i = 0; i < length; i++) if (bytes[at + i] !== this.#mark[i]) return false
    return true
  }

  #begun(bytes: Uint8Array, from: number): number {
    const start = Math.max(from, bytes.length - this.#mark.length)
    const at = start + bytes.subarray(start).lastIndexOf(separator)
    return at >= start && this.#isMark(bytes, at) ? bytes.length - at : 0
  }
}

export const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => Buffer.concat([a, b])

/** The bytes from there on, in memory of their own; a Buffer's `slice` would share it. */
export const copied = (bytes: Uint8Array, from: number): Uint8Array => Uint8Array.prototype.slice.call(bytes, from)
