/** The command line could not be understood: exit status 2. */
import * as Data from "effect/Data"

/** `see` is the command that tells more. */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly message: string
  readonly see: string
}> {}

/** All has been said; only the exit status is left: 1 for bad news, or that of a command which ran in our place. */
export class ExitStatus extends Data.TaggedError("ExitStatus")<{ readonly status: number }> {}

/** A refusal of the CLI's own: exit status 1. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly message: string
  readonly next?: string
  /** Lines from elsewhere that show why: the end of what a command printed. */
  readonly shown?: ReadonlyArray<string>
}> {}

/** Whoever watched went away, and what was watched goes on: exit status 130. */
export class Detached extends Data.TaggedError("Detached")<{ readonly lines: ReadonlyArray<string> }> {}
