/** A log whose appends are in the shared log, too, before anything is done about them. */
import { Commands } from "@context-engine/core/Commands"
import { EventLog } from "@context-engine/core/EventLog"
import { type Rejected, Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Pushes what waits; `reject` is told what the shared log did not take. */
export const push = (reject: (one: Rejected) => void) =>
  Effect.gen(function* () {
    const sync = yield* Sync
    if ((yield* sync.status).pending === 0) return
    const { rejected } = yield* sync.now({ asks: false })
    rejected.forEach(reject)
  })

/**
 * The log and the commands on it, over those that work here alone: an append ends when it was pushed, so that a deployment has
 * begun for everybody before its first byte runs. What cannot be pushed now is pushed with the next append, or by the caller.
 */
export const writeThrough = (
  reject: (one: Rejected) => void,
): Layer.Layer<EventLog | Commands, never, EventLog | Sync> =>
  // A layer is made once for a program: without `fresh` these would be the commands on the log below.
  Layer.fresh(Commands.layer).pipe(
    Layer.provideMerge(
      Layer.effect(
        EventLog,
        Effect.gen(function* () {
          const log = yield* EventLog
          const one = yield* Effect.makeSemaphore(1)
          const shared = Effect.ignore(one.withPermits(1)(push(reject))).pipe(Effect.provideService(Sync, yield* Sync))
          return EventLog.of({ ...log, append: (...asked) => Effect.zipLeft(log.append(...asked), shared) })
        }),
      ),
    ),
  )
