/** A deploy command's output as it comes: line by line, marked as not ours, and safe for the terminal. */
import type { OutputChunk } from "@context-engine/core/Remote"
import * as Effect from "effect/Effect"
import { safe } from "./render/safe.js"
import { paint } from "./render/text.js"
import { errorScreen, print, say, screen } from "./terminal.js"

export interface OutputStream {
  readonly write: (chunk: OutputChunk) => Effect.Effect<void>
  /** A line of our own between those of the command. */
  readonly heading: (text: string) => Effect.Effect<void>
  /** Shows what is left without a newline. */
  readonly end: Effect.Effect<void>
}

/** A line longer than this is shown in pieces: a command may never print a newline. */
const longest = 4096

export const makeStream = (toStandardError: boolean): OutputStream => {
  const to = toStandardError ? errorScreen() : screen()
  const put = (line: string) => (toStandardError ? say(line) : print(`${line}\n`))
  const bar = paint(to, "faint", "│")
  const line = (text: string) => put(`  ${bar} ${safe(text)}`.trimEnd())
  const parts = { stdout: new LineReader(), stderr: new LineReader() }
  return {
    write: ({ data, stream }) => Effect.forEach(parts[stream].push(data), line, { discard: true }),
    heading: (text) => put(paint(to, "strong", `→ ${text}`)),
    end: Effect.forEach([...parts.stdout.rest(), ...parts.stderr.rest()], line, { discard: true }),
  }
}

/** Cuts bytes into lines. A line that was written over (`\r`) counts as one. */
class LineReader {
  readonly #decoder = new TextDecoder()
  #open = ""

  push(data: Uint8Array): ReadonlyArray<string> {
    const lines = (this.#open + this.#decoder.decode(data, { stream: true })).split(/\r?\n|\r(?=[^\n])/)
    this.#open = lines.pop() as string
    if (this.#open.length > longest) {
      lines.push(this.#open)
      this.#open = ""
    }
    return lines
  }

  rest(): ReadonlyArray<string> {
    const left = this.#open + this.#decoder.decode()
    this.#open = ""
    return left === "" ? [] : [left]
  }
}
