/** Bytes of a log become whole lines of clean text. */
import { plain } from "../deployer/output.js"
import { isPlain } from "./isPlain.js"
import { copied } from "./marked.js"

/** A line longer than this is cut into pieces: a log may never hold a newline. */
const longest = 64 * 1024

/** What turns text around, and what some take for the end of a line. */
const turning = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

const newline = 0x0a
const nothing = new Uint8Array(0)

/** Cuts bytes into blocks of whole lines, cleans them, and keeps those that match. However the bytes come, the text is the same. */
export class LineCutter {
  /** The bytes since the last newline, as long as they are few; the text of a line that is longer. */
  #rest: Uint8Array = nothing
  #open = ""
  #room = nothing
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true })

  /** Without `wanted` all lines are. */
  constructor(readonly wanted?: ((line: string) => boolean) | undefined) {}

  /**
   * The lines that have become whole, ending with a newline; empty if there are none. As bytes where they are shown as they
   * came: most are, and text costs more than all else. They are good until the next call.
   */
  push(data: Uint8Array): string | Uint8Array {
    const bytes = this.#rest.length === 0 ? data : this.#joined(data)
    const end = bytes.lastIndexOf(newline) + 1
    const isShort = bytes.length - end <= longest && (this.#open === "" || end > 0)
    const whole = isShort ? bytes.subarray(0, end) : bytes
    // Copied, as whoever gave the bytes may use them again.
    this.#rest = isShort ? copied(bytes, end) : nothing
    const isClean = isShort && this.#open === "" && isPlain(bytes, end, longest)
    if (isClean && this.wanted === undefined) return whole
    const text = this.#textOf(whole)
    return this.#chosen(isClean ? text : cleaned(text))
  }

  /** What was left and this, in memory that is used again: for each piece its own would be most of the work. */
  #joined(data: Uint8Array): Uint8Array {
    const length = this.#rest.length + data.length
    if (this.#room.length < length) this.#room = new Uint8Array(2 * length)
    this.#room.set(this.#rest)
    this.#room.set(data, this.#rest.length)
    return this.#room.subarray(0, length)
  }

  /** What is left without a newline. */
  finish(): string {
    const rest = this.#open + this.#decoder.decode(this.#rest)
    this.#rest = nothing
    this.#open = ""
    return rest === "" ? "" : this.#chosen(cleaned(`${shortened(rest)}\n`))
  }

  /** Whole lines, and as much of one that is too long as can be given already. */
  #textOf(bytes: Uint8Array): string {
    const text = this.#open + this.#decoder.decode(bytes, { stream: true })
    const end = text.lastIndexOf("\n") + 1
    const [ready, open] = pieces(text.slice(end))
    this.#open = open
    return shortened(text.slice(0, end)) + ready
  }

  #chosen(block: string): string {
    const { wanted } = this
    if (wanted === undefined) return block
    const lines = block.split("\n").slice(0, -1).filter(wanted)
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`
  }
}

const cleaned = (block: string): string => plain(block.replaceAll(turning, ""))

/** The block with its long lines cut. */
const shortened = (block: string): string =>
  block.length <= longest
    ? block
    : block
        .split("\n")
        .map((line) => pieces(line).join(""))
        .join("\n")

/** A line too long as pieces with a newline each, and what is left of it. No character is cut in two. */
const pieces = (line: string): readonly [ready: string, rest: string] => {
  let ready = ""
  let rest = line
  while (rest.length > longest) {
    const last = rest.charCodeAt(longest - 1)
    const end = last >= 0xd800 && last <= 0xdbff ? longest - 1 : longest
    ready += `${rest.slice(0, end)}\n`
    rest = rest.slice(end)
  }
  return [ready, rest]
}
