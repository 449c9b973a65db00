/** Which of the things that were found are to be registered: by `--yes`, or as the person in front marks them. */

import * as Effect from "effect/Effect"
import type { Pickable } from "./multiSelect.js"
import { load } from "./runtime.js"
import { isInteractive, say } from "./terminal.js"
import { Refused, UsageError } from "./usage.js"

export interface Choosing {
  readonly apply: boolean
  readonly yes: boolean
}

/** Fails before anything is looked at where the options make no sense, or nobody is there to choose. `see` is the command. */
export const mayPick = ({ apply, yes }: Choosing, see: string): Effect.Effect<void, Refused | UsageError> => {
  if (yes && !apply) {
    return new UsageError({ message: "--yes goes with --apply", see: `context infra ${see} --help` })
  }
  if (!apply || yes || isInteractive()) return Effect.void
  return new Refused({
    message: "nobody is there to be asked what is to be registered",
    next: `look first: context infra ${see}; then add --yes`,
  })
}

/** The chosen ones, in their order. `question` stands above the list. */
export const pick = <A>(
  { yes }: Choosing,
  question: string,
  found: ReadonlyArray<Pickable<A>>,
): Effect.Effect<ReadonlyArray<A>> => {
  if (found.length === 0) return Effect.succeed([])
  if (yes) return Effect.succeed(found.filter(({ marked }) => marked).map(({ value }) => value))
  return load(
    () => import("./multiSelect.js"),
    ({ multiSelect }) => Effect.zipRight(say(""), multiSelect(question, found)),
  )
}
