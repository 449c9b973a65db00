/** What a deployment prints, fit to be kept: without escape codes and without secrets. */
import { redact } from "../../domain/secretShapes.js"

const limit = 64 * 1024

/** A line longer than this is cleaned in pieces: a command may never print a newline. */
const longest = 64 * 1024

/** More than this is not kept whole on this machine; the host has it for a while. */
const most = 16 * 1024 * 1024

/** Cleans bytes as they come, line by line, and keeps the last 64 KB. */
export class Output {
  #open = ""
  #tail = ""
  #cut = false
  #kept = 0
  #openLine = ""
  /** The last bytes, as they came, once there is more than is kept whole: of that, only the end will be looked at. */
  #raw: Array<Uint8Array> | undefined
  #rawSize = 0
  readonly #decoder = new TextDecoder()

  /** `hidden` are values that must not be kept, wherever they appear. */
  constructor(readonly hidden: ReadonlyArray<string> = []) {}

  /** Takes the next bytes and gives the text that has become complete by them, cleaned. */
  push(bytes: Uint8Array): string {
    if (this.#raw !== undefined) {
      this.#pushRaw(bytes)
      return ""
    }
    this.#open += this.#decoder.decode(bytes, { stream: true })
    const end = this.#open.lastIndexOf("\n") + 1
    if (end === 0 && this.#open.length < longest) return ""
    const whole = end === 0 ? this.#open : this.#open.slice(0, end)
    this.#open = this.#open.slice(whole.length)
    return this.#keep(whole)
  }

  /** What is left without a newline. */
  finish(): string {
    const raw = this.#raw === undefined ? "" : new TextDecoder().decode(joined(this.#raw, this.#rawSize))
    const whole = this.#open + this.#decoder.decode() + raw
    this.#open = ""
    return this.#keep(whole)
  }

  /** The end of it. */
  get tail(): string {
    return this.#cut ? `…${this.#tail.slice(-limit)}` : this.#tail
  }

  /** Its last line, if that was left open: what a question looks like. */
  get openLine(): string {
    return this.#openLine
  }

  #keep(text: string): string {
    const clean = this.#clean(text)
    if (clean !== "") this.#openLine = clean.endsWith("\n") ? "" : (clean.split("\n").at(-1) as string)
    this.#tail += clean
    if (this.#tail.length > limit) {
      this.#cut = true
      if (this.#tail.length > 2 * limit) this.#tail = this.#tail.slice(-limit)
    }
    const room = most - this.#kept
    this.#kept += clean.length
    if (clean.length <= room) return clean
    this.#raw ??= []
    return room > 0 ? `${clean.slice(0, room)}\n… the rest is not kept: it is more than ${most / 2 ** 20} MB\n` : ""
  }

  #pushRaw(bytes: Uint8Array): void {
    const raw = this.#raw as Array<Uint8Array>
    raw.push(bytes)
    this.#rawSize += bytes.length
    while (this.#rawSize - (raw[0]?.length ?? 0) > 2 * limit) this.#rawSize -= raw.shift()?.length ?? 0
  }

  #clean(text: string): string {
    let clean = redact(plain(text))
    for (const value of this.hidden) clean = clean.replaceAll(value, "[hidden]")
    return clean
  }
}

const joined = (parts: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what it looks for
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text without terminal escape codes and control characters; a line that was overwritten by `\r` keeps its last state. */
export const plain = (text: string): string =>
  text
    .replace(/\r\n/g, "\n")
    .replace(escapes, "")
    .replace(/^.*\r(?=[^\n])/gm, "")
    .replace(controls, "")

/** Why a command may have failed that nobody was there to answer, going by its last words; `undefined` where nothing says so. */
export const askedFor = (openLine: string, tail: string): string | undefined => {
  const end = tail.slice(-2000)
  const password =
    /a terminal is required|no tty present|could not read (?:Username|Password)|terminal prompts disabled/i.exec(end)
  if (password !== null) return "it asked for a password, and a deployment has nobody to give one"
  const line = openLine.trim()
  return /(?:[?:>]|\[[^\]]*\]|\([^)]*\))\s*$/.test(line) && line.length < 200
    ? `it asked ${JSON.stringify(line)}, and a deployment has nobody to answer: make the command non-interactive`
    : undefined
}
