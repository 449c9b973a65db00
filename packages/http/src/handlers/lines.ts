/** Cuts output into lines as it comes, without escape codes and without what looks like a secret. */

import { redact } from "@context-engine/core/domain/secretShapes"
import { plain } from "@context-engine/core/services/deployer/output"
import * as Effect from "effect/Effect"

/** A line longer than this is given in pieces. */
const longest = 8192

export interface Lines {
  readonly push: (bytes: Uint8Array) => Effect.Effect<void>
  /** Gives what was printed without a newline at its end. */
  readonly end: Effect.Effect<void>
}

/** Gives each whole line to `emit`. */
export const lines = (emit: (line: string) => Effect.Effect<unknown>): Lines => {
  const decoder = new TextDecoder()
  let rest = ""
  const give = (line: string) => emit(cleaned(line))
  const take = (text: string): ReadonlyArray<string> => {
    const whole = (rest + text).split("\n")
    rest = whole.pop() ?? ""
    while (rest.length > longest) {
      whole.push(rest.slice(0, longest))
      rest = rest.slice(longest)
    }
    return whole
  }
  return {
    push: (bytes) =>
      Effect.suspend(() => Effect.forEach(take(decoder.decode(bytes, { stream: true })), give, { discard: true })),
    end: Effect.suspend(() => {
      const unfinished = rest + decoder.decode()
      rest = ""
      return unfinished === "" ? Effect.void : give(unfinished)
    }),
  }
}

/** The lines of a text as they are given to callers; what follows its last newline is a line, too, unless it is empty. */
export const linesOf = (text: string): ReadonlyArray<string> =>
  (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n").flatMap((line) => pieces(line).map(cleaned))

const cleaned = (line: string): string => redact(plain(line))

const pieces = (line: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = 0; at === 0 || at < line.length; at += longest) found.push(line.slice(at, at + longest))
  return found
}
