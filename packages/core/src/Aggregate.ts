/** One consistency boundary: what a command may do to one stream, given all that happened on it. */
import type * as Either from "effect/Either"
import type { Event } from "./Event.js"

/**
 * A decider. Both functions are pure: ids and times come in with the command.
 *
 * - `decide` turns a command into events, or says why not. No events means there was nothing to do.
 * - `evolve` folds one event into the state. It never fails and ignores what it does not know.
 */
export interface Aggregate<State, Command, E extends Event, Rejection> {
  /** The prefix of its streams: `server` gives `server-<id>`. */
  readonly name: string
  readonly initial: State
  readonly decide: (command: Command, state: State) => Either.Either<ReadonlyArray<E>, Rejection>
  readonly evolve: (state: State, event: E) => State
}

/** The stream that holds the events of one aggregate. */
export const streamOf = (aggregate: { readonly name: string }, id: string): string => `${aggregate.name}-${id}`

/** The id within a stream name: the inverse of `streamOf`. */
export const idOf = (stream: string): string => stream.slice(stream.indexOf("-") + 1)
