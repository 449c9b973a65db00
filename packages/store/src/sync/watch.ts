/** Keeps this machine's log and the shared one together for as long as it runs. */
import type { StorageError, SyncError } from "@context-engine/core/Errors"
import { type Rejected, Sync, type SyncReport } from "@context-engine/core/services/Sync"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import { readHead } from "../append.js"
import { Database } from "../Database.js"
import { isPushable } from "./exchangeAll.js"
import { acquireWhenFree } from "./lock.js"

type Failed = SyncError | StorageError

/** What a watcher tells. Of one trouble once, however long it lasts; of its end when it is over. */
export type News =
  /** Another process of this machine watches; this one waits for its turn. */
  | { readonly what: "waiting" }
  | { readonly what: "watching" }
  | ({ readonly what: "synced" } & Pick<SyncReport, "pushed" | "pulled" | "moved">)
  | { readonly what: "rejected"; readonly rejected: Rejected }
  /** The shared log cannot be reached. */
  | { readonly what: "lost"; readonly message: string }
  /** Something that passes only when a person does something about it. */
  | { readonly what: "trouble"; readonly reason: Failed["reason"]; readonly message: string }
  | { readonly what: "back" }

export interface Options {
  /** How often to ask for others' work. What is appended here is pushed at once. */
  readonly every: Duration.DurationInput
  readonly tell: (news: News) => Effect.Effect<void>
  /** How long to wait after the first failure, and at most. Default 1 second and 1 minute. */
  readonly backoff?: readonly [first: Duration.DurationInput, most: Duration.DurationInput]
}

/** Watches until it is interrupted: whatever waits then is kept. Fails only where the local file cannot be used. */
export const watch = (options: Options): Effect.Effect<never, StorageError, Sync | Database> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { tell } = options
      const sync = yield* Sync
      const database = yield* Database
      yield* acquireWhenFree(database.path, "watch", "1 second", tell({ what: "waiting" }))
      yield* tell({ what: "watching" })
      const onRejected = (rejected: Rejected) => tell({ what: "rejected", rejected })
      const due = Effect.raceFirst(appended(database), Effect.sleep(options.every))
      let trouble: Failed["reason"] | undefined
      for (let failures = 0; ; ) {
        const done = yield* Effect.either(sync.now({ wait: true, onRejected }))
        if (Either.isRight(done)) {
          if (trouble !== undefined) yield* tell({ what: "back" })
          trouble = undefined
          failures = 0
          yield* tellOf(done.right, tell)
          yield* due
          continue
        }
        const error = done.left
        if (error._tag === "StorageError" && error.reason !== "busy" && error.reason !== "full") return yield* error
        if (trouble !== error.reason) yield* tell(newsOf(error))
        trouble = error.reason
        failures += 1
        yield* pause(error, failures, options)
      }
    }),
  )

const tellOf = ({ moved, pulled, pushed }: SyncReport, tell: Options["tell"]): Effect.Effect<void> =>
  pushed + pulled + moved > 0 ? tell({ what: "synced", pushed, pulled, moved }) : Effect.void

const newsOf = ({ message, reason }: Failed): News =>
  reason === "offline" ? { what: "lost", message } : { what: "trouble", reason, message }

/** Longer after every failure; what waits for a person is asked for rarely from the beginning. */
const pause = ({ reason }: Failed, failures: number, { backoff = ["1 second", "1 minute"] }: Options) =>
  Effect.gen(function* () {
    const [first, most] = [Duration.toMillis(backoff[0]), Duration.toMillis(backoff[1])]
    const wait =
      reason === "offline" || reason === "busy" ? Math.min(most, first * 2 ** Math.min(failures - 1, 20)) : most
    // Machines that lost the same link do not all come back at the same moment.
    yield* Effect.sleep(wait * (0.5 + (yield* Random.next) / 2))
  })

/** Waits until something is there to be pushed, whichever process appended it. Looks five times a second, as who follows the log does. */
const appended = (database: Database["Type"]): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    for (let seen: string | undefined; ; yield* Effect.sleep("200 millis")) {
      const { hash } = yield* database.read(readHead)
      if (hash === seen) continue
      seen = hash
      if (yield* database.read(isPushable)) return
    }
  })
