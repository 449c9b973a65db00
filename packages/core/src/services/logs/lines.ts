/** Bytes of a log become whole lines of clean text. */
import { plain } from "../deployer/output.js"

/** A line longer than this is cut into pieces: a log may never hold a newline. */
const longest = 64 * 1024

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const dirty = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

/** Cuts bytes into blocks of whole lines, cleans them, and keeps those that match. */
export class LineCutter {
  #open = ""
  readonly #decoder = new TextDecoder()

  /** Without \`wanted\` all lines are. */
  constructor(readonly wanted?: ((line: string) => boolean) | undefined) {}

  /** The lines that have become whole, as one text that ends with a newline; empty if there are none. */
  push(bytes: Uint8Array): string {
    const text = this.#open + this.#decoder.decode(bytes, { stream: true })
    const end = text.length > longest && !text.includes("\n") ? text.length : text.lastIndexOf("\n") + 1
    this.#open = text.slice(end)
    if (end === 0) return ""
    const whole = text.slice(0, end)
    return this.#filtered(whole.endsWith("\n") ? whole : `${whole}\n`)
  }

  /** What is left without a newline. */
  finish(): string {
    const rest = this.#open + this.#decoder.decode()
    this.#open = ""
    return rest === "" ? "" : this.#filtered(`${rest}\n`)
  }

  #filtered(block: string): string {
    // Looked at as a whole first: most blocks are clean, and cleaning costs.
    const clean = dirty.test(block) ? plain(block).replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, "") : block
    const { wanted } = this
    if (wanted === undefined) return clean
    const lines = clean.split("\n").slice(0, -1).filter(wanted)
    return lines.length === 0 ? "" : `${lines.join("\n")}\n`
  }
}
