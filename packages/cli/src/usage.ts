/** The command line could not be understood: exit status 2. */
import * as Data from "effect/Data"

/** `see` is the command that tells more. */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly message: string
  readonly see: string
}> {}

/** The answer was given and it is bad news: exit status 1, nothing more to say. */
export class Unwell extends Data.TaggedError("Unwell")<object> {}

/** A refusal of the CLI's own: exit status 1. */
export class Refused extends Data.TaggedError("Refused")<{ readonly message: string; readonly next?: string }> {}
