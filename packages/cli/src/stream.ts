/** A deploy command's output as it comes: line by line, marked as not ours, and safe for the terminal. */
import type { OutputChunk } from "@context-engine/core/Remote"
import * as Effect from "effect/Effect"
import { safe } from "./render/safe.js"
import { paint, type Screen, type Style } from "./render/text.js"
import { errorScreen, print, say, screen } from "./terminal.js"

export interface OutputStream {
  readonly write: (chunk: OutputChunk) => Effect.Effect<void>
  /** A line of our own between those of the command. */
  readonly heading: (text: string) => Effect.Effect<void>
  /** Shows what is left without a newline. */
  readonly end: Effect.Effect<void>
}

/** Whose a line is. */
interface Prefix {
  readonly text: string
  readonly style: Style
}

export interface StreamOptions {
  readonly toStandardError: boolean
  /** Stands before every line, where several speak at once. */
  readonly prefix?: Prefix
  /** While it is closed, everything waits. */
  readonly gate: Effect.Latch
}

/** A line longer than this is shown in pieces: a command may never print a newline. */
const longest = 4096

const styles = ["cyan", "magenta", "blue"] as const satisfies ReadonlyArray<Style>

/** The colour of the nth of those who speak at once. */
export const speaker = (index: number): Style => styles[index % styles.length] as Style

/** What stands before each line of somebody's, with a space. */
export const prefixOf = (to: Screen, { style, text }: Prefix): string => `${paint(to, style, safe(text))} `

export const makeStream = ({ gate, prefix, toStandardError }: StreamOptions): OutputStream => {
  const to = toStandardError ? errorScreen() : screen()
  const before = prefix === undefined ? "" : prefixOf(to, prefix)
  const put = (line: string) =>
    Effect.zipRight(gate.await, toStandardError ? say(`${before}${line}`) : print(`${before}${line}\n`))
  const bar = paint(to, "faint", "│")
  const indent = prefix === undefined ? "  " : ""
  const line = (text: string) => put(`${indent}${bar} ${safe(text)}`.trimEnd())
  const parts = { stdout: new LineReader(), stderr: new LineReader() }
  return {
    write: ({ data, stream }) => Effect.forEach(parts[stream].push(data), line, { discard: true }),
    heading: (text) => put(paint(to, "strong", `→ ${safe(text)}`)),
    end: Effect.suspend(() =>
      Effect.forEach([...parts.stdout.rest(), ...parts.stderr.rest()], line, { discard: true }),
    ),
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
