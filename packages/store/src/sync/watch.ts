/** Keeps this machine's log and the shared one together for as long as it runs. */
import type { StorageError, SyncError } from "@context-engine/core/Errors"
import { type Rejected, Sync, type SyncReport } from "@context-engine/core/services/Sync"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import { Database } from "../Database.js"
import { readHead } from "../standing.js"
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
  /** Ends when nothing was appended here for so long, and at once where another process watches. Without it there is no end. */
  readonly idle?: Duration.DurationInput | undefined
  readonly tell: (news: News) => Effect.Effect<void>
  /** How long to wait after the first failure, and at most. Default 1 second and 1 minute. */
  readonly backoff?: readonly [first: Duration.DurationInput, most: Duration.DurationInput]
}

/** Watches until it is interrupted or idle: whatever waits then is kept. Fails only where the local file cannot be used. */
export const watch = (options: Options): Effect.Effect<void, StorageError, Sync | Database> =>
  Effect.gen(function* () {
    const database = yield* Database
    const { idle, tell } = options
    if (idle === undefined) {
      const turn = acquireWhenFree(database.path, "watch", "1 second", tell({ what: "waiting" }))
      return yield* Effect.asVoid(Effect.scoped(Effect.zipRight(turn, keep(options))))
    }
    // Whoever only looks has the lock, too, for a moment.
    const turn = Effect.timeoutOption(acquireWhenFree(database.path, "watch", "20 millis"), "200 millis")
    while (true) {
      const seen = yield* Effect.scoped(
        Effect.flatMap(turn, (mine) => (mine._tag === "Some" ? keep(options) : Effect.void)),
      )
      // Whoever appends leaves it to a watcher that is there: also to one that has looked for the last time.
      if (seen === undefined || seen === (yield* database.read(readHead)).hash) return
      if (!(yield* database.read(isPushable))) return
    }
  })

/** Keeps the logs together, and gives the head of the log that was last brought there, or was to be. */
const keep = (options: Options): Effect.Effect<string, StorageError, Sync | Database> =>
  Effect.gen(function* () {
    const { idle = Duration.infinity, tell } = options
    const sync = yield* Sync
    const database = yield* Database
    yield* tell({ what: "watching" })
    const onRejected = (rejected: Rejected) => tell({ what: "rejected", rejected })
    let until = (yield* Clock.currentTimeMillis) + Duration.toMillis(idle)
    let trouble: Failed["reason"] | undefined
    for (let failures = 0; ; ) {
      const { hash } = yield* database.read(readHead)
      const done = yield* Effect.either(sync.now({ wait: true, onRejected }))
      if (Either.isRight(done)) {
        if (trouble !== undefined) yield* tell({ what: "back" })
        trouble = undefined
        failures = 0
        yield* tellOf(done.right, tell)
        const left = until - (yield* Clock.currentTimeMillis)
        const isNew = yield* due(database, Math.min(left, Duration.toMillis(options.every)))
        if (isNew) until = (yield* Clock.currentTimeMillis) + Duration.toMillis(idle)
      } else {
        const error = done.left
        if (error._tag === "StorageError" && error.reason !== "busy" && error.reason !== "full") return yield* error
        if (trouble !== error.reason) yield* tell(newsOf(error))
        trouble = error.reason
        failures += 1
        const left = until - (yield* Clock.currentTimeMillis)
        yield* Effect.raceFirst(pause(error, failures, options), Effect.sleep(left))
      }
      if ((yield* Clock.currentTimeMillis) >= until) return hash
    }
  })

/** Waits until something is there to be pushed, but no longer than that; says whether there is. */
const due = (database: Database["Type"], millis: number): Effect.Effect<boolean, StorageError> =>
  Effect.raceFirst(Effect.as(appended(database), true), Effect.as(Effect.sleep(millis), false))

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
