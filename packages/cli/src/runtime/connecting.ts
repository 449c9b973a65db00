/**
 * Behind `sync connect`: the address is kept once it answers and is meant, and what was kept before comes back if that fails. A
 * newcomer may come back with a wish to be enrolled.
 */
import type { SyncError } from "@context-engine/core/Errors"
import { Machines } from "@context-engine/core/services/Machines"
import { type Contact, Sync, type SyncOptions } from "@context-engine/core/services/Sync"
import type { Endpoint } from "@context-engine/store/sync/endpoint"
import { ofRevoked } from "@context-engine/store/sync/enrolling"
import { remoteLog } from "@context-engine/store/sync/http"
import { decodeInvite, inviteKey, keyId, publicHalf } from "@context-engine/store/trust/keys"
import * as Effect from "effect/Effect"
import type { Already, Waiting } from "../render/sync.js"
import { Refused } from "../usage.js"
import { forget, kept, save } from "./endpoint.js"
import { type LogOptions, syncMode } from "./log.js"
import { enrolment } from "./machines.js"
import { runAlone } from "./store.js"

export interface Connecting extends SyncOptions {
  /** Asked before two histories become one, or a log is given back or moves to another server: fails where that is not wanted. */
  readonly decide: (met: Contact, moving: boolean) => Effect.Effect<void, unknown>
}

export const connect = (options: LogOptions, endpoint: Endpoint, { decide, ...how }: Connecting) =>
  Effect.gen(function* () {
    if (syncMode() === "remote") {
      yield* remoteLog(endpoint).survey([])
      yield* save(options.db, endpoint)
      const { runRemote } = yield* Effect.promise(() => import("./remote.js"))
      const first = Effect.flatMap(Sync, (sync) => orWaiting(how, withUnused(how, sync.now(how))))
      return yield* runRemote(options, enrolment(options), first)
    }
    const asked = Effect.gen(function* () {
      const sync = yield* Sync
      const met = yield* sync.contact
      const before = yield* kept(options.db)
      const moving = before !== undefined && before.url !== endpoint.url
      yield* decide(met, moving)
      const way = orWaiting(how, withUnused(how, wayOf(sync, met)({ ...how, moving })))
      const next = how.invite === undefined ? onceMore : again
      return yield* keeping(options.db, endpoint, sync, orNothing(sync, way, { had: before !== undefined, next }))
    })
    return yield* runAlone({ ...options, mayBeGone: true }, enrolment(options, Effect.succeed(endpoint)), asked)
  })

const wayOf = (sync: Sync["Type"], { state }: Contact) => {
  if (state === "to-merge" || state === "foreign") return sync.join
  return state === "reset" || state === "rolled-back" ? sync.heal : sync.now
}

/** Keeps the address before the first exchange, so that one which breaks off goes on later: but only if it has bound the log. */
const keeping = <A>(
  db: string | undefined,
  endpoint: Endpoint,
  sync: Sync["Type"],
  way: Effect.Effect<A, unknown, Machines | Sync>,
): Effect.Effect<A, unknown, Machines | Sync> =>
  Effect.gen(function* () {
    const before = yield* kept(db)
    const { logId } = yield* sync.status
    yield* save(db, endpoint)
    const putBack = Effect.suspend(() => (before === undefined ? forget(db) : save(db, before)))
    const unlessBound = Effect.flatMap(sync.status, (now) => (now.logId === logId ? putBack : Effect.void))
    return yield* Effect.onError(way, () => Effect.ignore(unlessBound))
  })

/** Who is turned away, with an invite or without, leaves a file as it was. Where that had a history, both have become one already. */
const orNothing = <A, R>(sync: Sync["Type"], way: Effect.Effect<A, unknown, R>, { had, next }: Had) =>
  Effect.flatMap(sync.status, (before) =>
    Effect.catchIf(way, isRefused, (error) =>
      Effect.gen(function* () {
        const { logId } = yield* sync.status
        if (logId !== before.logId && logId !== null) return yield* saying(error, joined, next)
        return yield* saying(error, had ? "This file is connected as it was before" : nothing, next)
      }),
    ),
  )

interface Had {
  /** Whether an address was kept before. */
  readonly had: boolean
  readonly next: string
}

const nothing = "This file is connected to nothing, as it was before"

const joined =
  "This file is connected to the log there all the same, and its own work is put after that; it is not enrolled"

const again = "context infra sync connect <url> --invite <another code>"

const onceMore = "context infra sync connect <url> again, when this machine is let in or has a new key"

const isRefused = (error: unknown): error is SyncError =>
  (error as SyncError)._tag === "SyncError" && (error as SyncError).reason === "not-enrolled"

const saying = ({ message }: SyncError, what: string, next: string) =>
  new Refused({ message: `${message}. ${what}`, next: message.startsWith(ofRevoked) ? onceMore : next })

/** An invite is for who is not enrolled yet: it changes nothing for who is, and that is said. */
const withUnused = ({ invite }: SyncOptions, way: ReturnType<Sync["Type"]["now"]>) =>
  Effect.flatMap(way, (done) =>
    invite === undefined
      ? Effect.succeed(done)
      : Effect.map(enrolledOtherwise(invite), (already) => (already === undefined ? done : { ...done, already })),
  )

const enrolledOtherwise = (invite: string) =>
  Effect.gen(function* () {
    const { invites, machines } = yield* (yield* Machines).list
    const own = machines.find(({ here, status }) => here && status === "enrolled")
    const code = decodeInvite(invite)
    const id = code && keyId(publicHalf(inviteKey(code.secret)))
    if (own === undefined || (id !== undefined && own.invite === id)) return undefined
    const offered = invites.find(({ inviteId }) => inviteId === id)?.role ?? own.role
    return { name: own.name, role: own.role, offered } satisfies Already
  })

/** Without an invite it is no failure to come to a log in which one has yet to be enrolled: this machine has asked, and waits. */
const orWaiting = ({ invite }: SyncOptions, way: ReturnType<typeof withUnused>) =>
  Effect.catchIf(
    way,
    (error) => error._tag === "SyncError" && error.reason === "not-enrolled" && invite === undefined,
    (error) => Effect.flatMap(waiting, (found) => (found === undefined ? Effect.fail(error) : Effect.succeed(found))),
  )

/** This machine, where it has asked to be enrolled. */
const waiting = Effect.gen(function* () {
  const { machines } = yield* (yield* Machines).list
  const own = machines.find(({ here, status }) => here && status === "waiting")
  if (own === undefined) return undefined
  const sync = yield* Sync
  const { confirmed } = yield* sync.status
  // What others' commands came to is theirs to look at.
  const rejected = (yield* sync.rejectedHere).length
  return { waiting: true, name: own.name, fingerprint: own.fingerprint, confirmed, rejected } satisfies Waiting
})
