/** What a command did on a host is done, whatever becomes of the note of it in the log. */
import * as Effect from "effect/Effect"
import { StorageError } from "../Errors.js"

/** Says of an error of the log that `what` has happened all the same: whoever reads that nothing was written would do it again. */
export const doneAnyway =
  (what: string) =>
  <A, E, R>(note: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.mapError(note, (error) =>
      error instanceof StorageError ? (unnoted(what, error) as E & StorageError) : error,
    )

export const unnoted = (what: string, { cause, message, reason }: StorageError): StorageError =>
  new StorageError({ reason, cause, message: `${what}; the log could not keep that: ${message.split(";")[0]}` })
