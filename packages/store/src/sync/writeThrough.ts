/** A log whose appends are in the shared log, too, before anything is done about them. */
import { Commands } from "@context-engine/core/Commands"
import { StorageError } from "@context-engine/core/Errors"
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

/** What is kept nowhere else has to be taken by the shared log: by the rights of this machine, and by those of its token. */
const mayShare = (sync: Sync["Type"]): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    const { confirmed, enrolment } = yield* sync.status
    const isEmpty = enrolment === "no-root" && confirmed === 0
    if (!isEmpty && enrolment !== "enrolled" && enrolment !== "unsigned")
      return yield* untold("not-enrolled", whyNot[enrolment])
    yield* Effect.catchTag(sync.writable, "SyncError", ({ message }) => untold("unavailable", message))
  })

const untold = (reason: StorageError["reason"], why: string) =>
  new StorageError({ reason, message: `nothing was done, for it could not be told in the shared log: ${why}` })

const whyNot = {
  waiting: "this machine waits to be enrolled; on an admin machine, context infra machine list shows it",
  revoked: "this machine was revoked",
  "not-enrolled":
    "this machine is not enrolled. A job that keeps no home is enrolled by a key of its own: context infra machine add <name> on an admin machine, and the line in CONTEXT_KEY",
  "no-root": "nobody has said yet who may write to it: context infra machine root, on the machine that is to say so",
} as const

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
          const sync = yield* Sync
          const shared = Effect.ignore(one.withPermits(1)(push(reject))).pipe(Effect.provideService(Sync, sync))
          return EventLog.of({
            ...log,
            append: (...asked) => Effect.zipLeft(log.append(...asked), shared),
            // The file goes with the process.
            obstacle: Effect.succeed(null),
            ready: Effect.zipRight(log.ready, mayShare(sync)),
          })
        }),
      ),
    ),
  )
