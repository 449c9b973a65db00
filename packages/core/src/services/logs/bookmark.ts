/** Where a reader of a file is, so that another connection can go on there. */
import { copied, joined } from "./marked.js"

/** How many bytes before a place tell it from others. */
const length = 256

/** After so many bytes of a file, and what stands before. */
interface Place {
  readonly inode: string
  readonly offset: number
  readonly before: Uint8Array
}

export class Bookmark {
  #place: Place | undefined
  #next: Place | undefined
  #lost = false

  /** The bytes that follow are a file's from this offset on; the mark is what stands before them, in hex. */
  begin(inode: string, offset: number, mark: string): void {
    const before = Uint8Array.from(mark.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16))
    this.#next = { inode, offset, before }
    // The end of one file says more than the beginning of the next: from there, whatever comes between them is found, too.
    if (this.#place === undefined || this.#lost) this.#place = this.#next
    this.#lost = false
  }

  /** Where it was is not there any more: the next place counts from its beginning. */
  lose(): void {
    this.#lost = true
  }

  advance(bytes: Uint8Array): void {
    const at = this.#next ?? this.#place
    this.#next = undefined
    if (at === undefined) return
    const before = copied(bytes.length >= length ? bytes : joined(at.before, bytes), -length)
    this.#place = { inode: at.inode, offset: at.offset + bytes.length, before }
  }

  /** A new connection begins to say where it is. */
  reconnect(): void {
    this.#next = undefined
  }

  /** Inode, offset and mark to go on from; empty at first. */
  get place(): readonly [inode: string, offset: string, mark: string] {
    if (this.#place === undefined) return ["", "", ""]
    const { before, inode, offset } = this.#place
    return [inode, String(offset), Array.from(before, (byte) => byte.toString(16).padStart(2, "0")).join("")]
  }
}
