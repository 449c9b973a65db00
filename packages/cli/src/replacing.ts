/** What is asked before a backup takes the place of a log. */
import type { Compared } from "@context-engine/store/likeness"
import * as Effect from "effect/Effect"
import { confirmed } from "./removal.js"
import { bothInWords, likenessInWords } from "./render/likeness.js"
import { count } from "./render/units.js"
import { isInteractive, say } from "./terminal.js"
import { Refused } from "./usage.js"

export interface Replacing {
  readonly file: string
  readonly db: string
  readonly events: number
  readonly compared: Compared
  readonly yes: boolean
  /** Whether it was said that another log is meant. */
  readonly anotherLog: boolean
}

/** Goes on with a yes; where the log would be another one, with a yes to just that. */
export const agreedToReplace = ({ anotherLog, compared, db, events, file, yes }: Replacing) =>
  Effect.gen(function* () {
    const { likeness } = compared
    const isAnother = likeness === "another" || likeness === "unsigned"
    const said = likenessInWords[likeness]
    if (isAnother && !anotherLog && !isInteractive()) {
      return yield* new Refused({
        message: `${file} is ${said}. Nothing was done`,
        shown: bothInWords(compared),
        next: "if that log is meant: --another-log --yes",
      })
    }
    const agreed = yes && (!isAnother || anotherLog)
    if (!agreed && isInteractive() && likeness !== "new")
      yield* Effect.forEach(bothInWords(compared), say, { discard: true })
    const what = `put the ${count(events, "event")} of ${file} in the place of ${db}`
    yield* confirmed(agreed, said === undefined ? what : `${what}: it is ${said}`)
  })
