/** The way in: read → fold → decide → append. A command that lost a race is decided again on what is there now. */

import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { type Aggregate, streamOf } from "./Aggregate.js"
import { definitions } from "./domain/Events.js"
import type { StorageError, UniqueViolation, VersionConflict } from "./Errors.js"
import type { Event, Recorded } from "./Event.js"
import { EventLog, type NewEvent, type StreamAppend } from "./EventLog.js"
import * as Id from "./Id.js"
import { Origin } from "./Origin.js"
import { isoTime } from "./Time.js"

/** One aggregate and what is asked of it. */
export interface Request<State, Command, E extends Event, Rejection> {
  readonly aggregate: Aggregate<State, Command, E, Rejection>
  readonly id: string
  readonly command: Command
}

type AppendError = VersionConflict | UniqueViolation | StorageError

export class Commands extends Context.Tag("@context-engine/core/Commands")<
  Commands,
  {
    /**
     * Decides one or more commands and appends their events as one transaction.
     *
     * `plan` is run again whenever someone else wrote first, so it must read everything it decides on. `guard` makes the
     * whole log the boundary: nothing may have been appended since `plan` began. For decisions that look at other streams.
     */
    readonly execute: <E, R, State, Command, Ev extends Event, Rejection>(
      plan: Effect.Effect<ReadonlyArray<Request<State, Command, Ev, Rejection>>, E, R>,
      options?: { readonly guard?: boolean },
    ) => Effect.Effect<ReadonlyArray<Recorded<Ev>>, E | Rejection | AppendError, R>
    /** Fails where nothing could be recorded: asked before anything is done on a host that could not be told afterwards. */
    readonly ready: Effect.Effect<void, StorageError>
    /** Appends facts: what already happened is never refused. */
    readonly record: (
      aggregate: { readonly name: string },
      id: string,
      events: ReadonlyArray<Event>,
    ) => Effect.Effect<ReadonlyArray<Recorded>, StorageError>
  }
>() {
  static readonly layer = Layer.effect(
    Commands,
    Effect.gen(function* () {
      const log = yield* EventLog
      const decide = Effect.fn("Commands.decide")(function* (request: Request<any, any, any, any>, commandId: string) {
        const { aggregate, command, id } = request
        const stream = streamOf(aggregate, id)
        const history = yield* log.read(stream)
        const state = history.reduce((folded, event) => aggregate.evolve(folded, event), aggregate.initial)
        const events = yield* aggregate.decide(command, state)
        return { stream, expected: history.length, events: yield* envelopes(events, commandId) } as StreamAppend
      })
      return Commands.of({
        execute: (plan, options) =>
          Effect.gen(function* () {
            const head = options?.guard ? yield* log.head : undefined
            const rebases = yield* log.rebases
            const commandId = yield* Id.make
            const appends = yield* Effect.forEach(yield* plan, (request) => decide(request, commandId))
            const filled = appends.filter((append) => append.events.length > 0)
            if (filled.length === 0) return []
            return (yield* log.append(filled, {
              rebases,
              ...(head === undefined ? {} : { head }),
            })) as ReadonlyArray<any>
          }).pipe(Effect.retry({ while: isConflict, schedule: retries }), Effect.withSpan("Commands.execute")),
        ready: log.ready,
        record: Effect.fn("Commands.record")(function* (aggregate, id, events) {
          const commandId = yield* Id.make
          const append = { stream: streamOf(aggregate, id), expected: "any" as const }
          return yield* log
            .append([{ ...append, events: yield* envelopes(events, commandId) }])
            .pipe(Effect.catchTag("VersionConflict", "UniqueViolation", Effect.die))
        }),
      })
    }),
  )
}

/** Losing a race is rare and short: try again soon, a little apart from the others, and give up after a second or so. */
const retries = Schedule.intersect(Schedule.jittered(Schedule.exponential("2 millis", 1.3)), Schedule.recurs(20))

const isConflict = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "VersionConflict"

const envelopes = (events: ReadonlyArray<Event>, commandId: string) =>
  Effect.gen(function* () {
    const origin = yield* Origin
    const now = yield* Clock.currentTimeMillis
    const occurredAt = isoTime(now)
    const meta = { ...origin, commandId }
    return events.map((event): NewEvent => ({ id: Id.at(now), ...shaped(event), meta, occurredAt }))
  })

/** The event with the version of its shape, which the log holds it to. An unknown type is the caller's. */
const shaped = ({ data, type }: Event) => ({ type, schema: definitions.get(type)?.schema ?? 1, data })
