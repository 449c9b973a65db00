/** What a deploy command printed, fit to be kept: its end, without escape codes and without secrets. */
import { redact } from "../../domain/secretShapes.js"

const limit = 64 * 1024

/** Keeps the last 64 KB of what it is given. */
export class Tail {
  #text = ""
  #cut = false
  readonly #decoder = new TextDecoder()

  push(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true })
    if (this.#text.length <= 2 * limit) return
    this.#text = this.#text.slice(-limit)
    this.#cut = true
  }

  get text(): string {
    const cleaned = redact(plain(this.#text))
    return cleaned.length > limit || this.#cut ? `…${cleaned.slice(-limit)}` : cleaned
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what it looks for
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text without terminal escape codes and control characters; a line that was overwritten by `\r` keeps its last state. */
export const plain = (text: string): string =>
  text
    .replace(/\r\n/g, "\n")
    .replace(escapes, "")
    .replace(/^.*\r(?=[^\n])/gm, "")
    .replace(controls, "")
