/**
 * A shared log whose pages are read from a replica of it, kept beside the database: `CONTEXT_SYNC=replica`.
 *
 * The replica is a cache that is never believed. Everything is pushed over HTTP, and so is every question about what the
 * shared log is; pages of the replica count only if their chain holds and the shared log itself has the hash at their end.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type EventRow, hashOf } from "../../record.js"
import { readAnswer } from "../answers.js"
import type { Endpoint } from "../endpoint.js"
import { type Exchange, exchangeStatements } from "../protocol.js"
import type { RemoteLog } from "../RemoteLog.js"
import { ReplicaError, type ReplicaProcess, startReplica } from "./process.js"

export interface Options {
  /** The replica's own directory. */
  readonly directory: string
  /** How long it may take to answer; what it has got by then it keeps. Default 60 seconds. */
  readonly deadline?: Duration.DurationInput
  /** Told when it is thrown away or left out, and why. */
  readonly onTrouble?: (message: string) => Effect.Effect<void>
}

/** The same shared log, with what it has read from the replica. The replica's process ends with the scope. */
export const replicaLog = (
  remote: RemoteLog["Type"],
  endpoint: Endpoint,
  { deadline = Duration.seconds(60), directory, onTrouble = () => Effect.void }: Options,
): Effect.Effect<RemoteLog["Type"], never, Scope.Scope> =>
  Effect.gen(function* () {
    let state: ReplicaProcess | "not-started" | "left-out" = "not-started"
    const start = startReplica(directory, endpoint, deadline)
    yield* Effect.addFinalizer(() => Effect.sync(() => typeof state === "object" && state.end()))

    const running = Effect.gen(function* () {
      if (typeof state === "string") state = yield* start
      return state
    })

    /** After an error nothing of it is used any more: the next process builds it anew. */
    const leaveOut = (error: ReplicaError) =>
      Effect.gen(function* () {
        const replica = state
        state = "left-out"
        if (error.reason === "broken") yield* wipe(replica, start)
        if (typeof replica === "object") replica.end()
        if (error.reason === "busy") return
        const then = error.reason === "broken" ? "it is thrown away, and built anew with the next" : "it is left out"
        yield* onTrouble(`the replica cannot be used: ${error.message}; ${then}. What it was for came over HTTP`)
      })

    const exchange = (wanted: Exchange) =>
      Effect.gen(function* () {
        // What is pushed goes over HTTP, and its answer has what others wrote meanwhile.
        if (wanted.push.length > 0 || state === "left-out") return yield* remote.exchange(wanted)
        const read = yield* Effect.either(Effect.flatMap(running, (replica) => pages(replica, wanted)))
        const found = read._tag === "Right" ? read.right : { rows: [], more: false }
        const confirmed = yield* confirm(remote, found, wanted)
        if (confirmed !== undefined) return confirmed
        // Where the shared log cannot be reached either, the replica is not to blame.
        const answer = yield* remote.exchange(wanted)
        if (read._tag === "Left") yield* leaveOut(read.left)
        else if (found.rows.length > 0) yield* leaveOut(notIts)
        return answer
      })
    return { ...remote, exchange }
  })

interface Pages {
  readonly rows: ReadonlyArray<EventRow>
  /** Whether the replica has more after them. */
  readonly more: boolean
}

/** The pages with what follows them, if the shared log has the same hash at their end: then it has the same before it. */
const confirm = (remote: RemoteLog["Type"], { more, rows }: Pages, wanted: Exchange) =>
  Effect.gen(function* () {
    const last = rows[rows.length - 1]
    if (last === undefined) return undefined
    const from = { position: last[0], hash: last[10] }
    const answer = yield* remote.exchange({ ...wanted, from, limit: more ? 0 : wanted.limit })
    if (answer?.hashAtFrom !== from.hash || answer.logId !== wanted.logId) return undefined
    return { ...answer, hashAtFrom: wanted.from.hash, rows: [...rows, ...answer.rows] }
  })

const notIts = new ReplicaError({ reason: "broken", message: "it has events that the shared log does not have" })

/** What the replica has after a place; where it has nothing, it is brought up to date first. */
const pages = (replica: ReplicaProcess, wanted: Exchange): Effect.Effect<Pages, ReplicaError> =>
  Effect.gen(function* () {
    const read = Effect.flatMap(replica.ask({ way: "read", statements: exchangeStatements(wanted) }), ({ results }) =>
      // It may lag behind the shared log, so that nothing of it need follow; but what it has is as it was asked for.
      results ? Effect.mapError(readAnswer("the replica", results, wanted), () => notIts) : Effect.succeed(undefined),
    )
    const before = yield* read
    const isBehind = before === undefined || before.rows.length === 0
    const answer = isBehind ? yield* Effect.zipRight(replica.ask({ way: "sync" }), read) : before
    const rows = answer?.rows ?? []
    const last = rows[rows.length - 1]
    if (last === undefined || answer === undefined) return { rows, more: false }
    if (!continues(wanted.from.hash, rows)) return yield* notIts
    return { rows, more: last[0] < answer.head }
  })

const continues = (from: string, rows: ReadonlyArray<EventRow>): boolean => {
  let hash = from
  return rows.every((row) => {
    hash = hashOf(hash, row)
    return hash === row[10]
  })
}

/** Under the replica's lock, by the process that has it or, if that is gone, by another: nobody else works on what is removed. */
const wipe = (replica: ReplicaProcess | string, start: Effect.Effect<ReplicaProcess, ReplicaError>) => {
  const ask = (one: ReplicaProcess) => one.ask({ way: "wipe" })
  const another = Effect.acquireUseRelease(start, ask, (one) => Effect.sync(one.end))
  return Effect.ignore(typeof replica === "string" ? another : Effect.orElse(ask(replica), () => another))
}
