/** Group commit: what waits at the same time is committed together, by one fsync, and nobody waits in SQLite. */
import { StorageError } from "@context-engine/core/Errors"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Connection, codeOf, isDriverError, storageError } from "./connection.js"
import { Patience } from "./Database.js"

/**
 * The part of a transaction that belongs to one caller. What it throws undoes this part only: a refusal or a `StorageError`
 * fails its caller, anything else is a defect. Only what the driver says of the file undoes the whole transaction.
 */
export interface Work<A> {
  readonly body: (connection: Connection) => A
  readonly refuses: (error: unknown) => boolean
}

interface Waiting {
  readonly work: Work<any>
  readonly resume: (effect: Effect.Effect<any, any>) => void
  /** When it gives up, on the clock of `Date.now`. It counts from the call: the wait behind others is part of it. */
  readonly deadline: number
  readonly since: number
}

/** Who has waited for longer tries more often: no process is left behind by chance. In milliseconds. */
const pauseAfter = (waited: number): number =>
  waited < 20 ? 2 + Math.random() * 4 : waited < 60 ? 1 + Math.random() * 2 : 1

/** How many callers may share a transaction: more would make the first of them wait for long. */
const groupSize = 64

export class CommitQueue {
  #waiting: Array<Waiting> = []
  #scheduled = false
  /** When another process was last seen to write, on the clock of `Date.now`. */
  #othersSeen = 0

  /** `transact` runs a body in one transaction, synchronously, and throws `StorageError`. */
  constructor(readonly transact: <A>(body: (connection: Connection) => A) => A) {}

  /** Runs work in a transaction, its own or one shared with others, and cannot be interrupted half-way. */
  run<A, E>(work: Work<A>): Effect.Effect<A, E | StorageError> {
    return Effect.flatMap(Patience, (patience) =>
      Effect.uninterruptible(
        Effect.async<A, E | StorageError>((resume) => {
          const since = Date.now()
          this.#waiting.push({ work, resume, since, deadline: since + Duration.toMillis(patience) })
          if (this.#scheduled) return
          this.#scheduled = true
          // After the other fibers that are ready now have put their work beside this one.
          queueMicrotask(() => this.#next())
        }),
      ),
    )
  }

  /** Commits those that have tried before, and as many more as fit beside them. */
  #flush(again: ReadonlyArray<Waiting>): void {
    const group = [...again, ...this.#waiting.splice(0, groupSize - again.length)]
    let results: ReadonlyArray<Effect.Effect<any, any>>
    try {
      results = this.transact((connection) => runGroup(connection, group))
    } catch (error) {
      if (error instanceof StorageError && error.reason === "busy") {
        this.#wait(group, error)
        return
      }
      const refused = error instanceof StorageError || (group.length === 1 && group[0]?.work.refuses(error))
      results = group.map(() => (refused ? Effect.fail(error) : Effect.die(error)))
    }
    group.forEach((waiting, index) => {
      waiting.resume(results[index] as Effect.Effect<any, any>)
    })
    if (this.#waiting.length === 0) this.#scheduled = false
    else setImmediate(() => this.#next())
  }

  /** Begins a group: at once, or after those who wait in other processes have had a chance to. */
  #next(): void {
    if (Date.now() - this.#othersSeen > 100) this.#flush([])
    else setTimeout(() => this.#flush([]), 2 + Math.random() * 3)
  }

  /** Lets the event loop go on and tries again, a little apart from the other processes that wait. */
  #wait(group: ReadonlyArray<Waiting>, busy: StorageError): void {
    const now = Date.now()
    this.#othersSeen = now
    for (const waiting of group) if (waiting.deadline <= now) waiting.resume(Effect.fail(busy))
    const patient = group.filter((waiting) => waiting.deadline > now)
    if (patient.length + this.#waiting.length === 0) this.#scheduled = false
    else setTimeout(() => this.#flush(patient), pauseAfter(now - (patient[0]?.since ?? now)))
  }
}

/** What the driver says of values that it was given, not of the file. */
const aboutValues = new Set(["SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_RANGE", "SQLITE_TOOBIG"])

/** One alone needs no savepoint, for which SQLite would copy every page it changes: its refusal undoes the transaction. */
const runGroup = (connection: Connection, group: ReadonlyArray<Waiting>): ReadonlyArray<Effect.Effect<any, any>> => {
  const [first] = group
  if (first !== undefined && group.length === 1) return [Effect.succeed(first.work.body(connection))]
  return group.map(({ work }) => runPart(connection, work))
}

const runPart = (connection: Connection, work: Work<any>): Effect.Effect<any, any> => {
  connection.prepare("SAVEPOINT part").run()
  try {
    const result = work.body(connection)
    connection.prepare("RELEASE part").run()
    return Effect.succeed(result)
  } catch (error) {
    // About the file, and so about everyone. Whatever else it is, the others of the group have no part in it.
    if (isDriverError(error) && !aboutValues.has(codeOf(error))) throw error
    connection.prepare("ROLLBACK TO part").run()
    connection.prepare("RELEASE part").run()
    if (isDriverError(error)) return Effect.fail(storageError("the log", error))
    return work.refuses(error) || error instanceof StorageError ? Effect.fail(error) : Effect.die(error)
  }
}
