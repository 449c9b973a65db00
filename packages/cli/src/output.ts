/** Gives the answer: one JSON document, or text for people. */
import * as Effect from "effect/Effect"
import { safeJson } from "./render/safe.js"
import type { Renderer } from "./render/text.js"
import { print, screen } from "./terminal.js"
import { ExitStatus, type Refused } from "./usage.js"

export type { Renderer } from "./render/text.js"

/** How an answer is wanted. */
export interface Wanted {
  readonly json: boolean
  readonly at?: string | undefined
  readonly knownAt?: string | undefined
}

/** Prints an answer. Fails after it if it is bad news. Where there is no text for people, the failure says it all. */
export const present = <V>(
  wanted: Wanted,
  value: V,
  load: () => Promise<Renderer<V>>,
  bad: boolean | Refused | undefined,
): Effect.Effect<void, ExitStatus | Refused> =>
  Effect.gen(function* () {
    // It has been printed already, as a stream.
    if (value === undefined) return
    if (wanted.json) {
      yield* print(`${safeJson(value, 2)}\n`)
    } else {
      const render = yield* Effect.promise(load)
      const text = render(value, screen(wanted.at !== undefined || wanted.knownAt !== undefined))
      if (text !== "") yield* print(`${text}\n`)
    }
    if (bad) return yield* bad === true ? new ExitStatus({ status: 1 }) : bad
  })
