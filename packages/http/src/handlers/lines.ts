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
  const give = (line: string) => emit(redact(plain(line)))
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
