/** Group commit: what waits at the same time is committed together, by one fsync, and nobody waits in SQLite. */
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type { Connection } from "./connection.js"

/** The part of a transaction that belongs to one caller. What it throws undoes this part only, if `refuses` says so. */
export interface Work<A> {
  readonly body: (connection: Connection) => A
  readonly refuses: (error: unknown) => boolean
}

interface Waiting {
  readonly work: Work<any>
  readonly resume: (effect: Effect.Effect<any, any>) => void
}

/** How many callers may share a transaction: more would make the first of them wait for long. */
const groupSize = 64

/** How long a writer waits for its turn before it gives up, in milliseconds. */
const patience = 15_000

export class CommitQueue {
  #waiting: Array<Waiting> = []
  #scheduled = false

  /** `transact` runs a body in one transaction, synchronously, and throws `StorageError`. */
  constructor(readonly transact: <A>(body: (connection: Connection) => A) => A) {}

  /** Runs work in a transaction, its own or one shared with others, and cannot be interrupted half-way. */
  run<A, E>(work: Work<A>): Effect.Effect<A, E | StorageError> {
    return Effect.uninterruptible(
      Effect.async<A, E | StorageError>((resume) => {
        this.#waiting.push({ work, resume })
        if (this.#scheduled) return
        this.#scheduled = true
        // After the other fibers that are ready now have put their work beside this one.
        queueMicrotask(() => this.#flush(this.#waiting.splice(0, groupSize), Date.now() + patience))
      }),
    )
  }

  #flush(group: ReadonlyArray<Waiting>, deadline: number): void {
    let results: ReadonlyArray<Effect.Effect<any, any>>
    try {
      results = this.transact((connection) => runGroup(connection, group))
    } catch (error) {
      if (error instanceof StorageError && error.reason === "busy" && Date.now() < deadline) {
        // A little apart from the other processes that wait, while the event loop goes on.
        setTimeout(() => this.#flush(group, deadline), 1 + Math.random() * 4)
        return
      }
      results = group.map(() => (error instanceof StorageError ? Effect.fail(error) : Effect.die(error)))
    }
    group.forEach((waiting, index) => {
      waiting.resume(results[index] as Effect.Effect<any, any>)
    })
    const next = this.#waiting.splice(0, groupSize)
    if (next.length === 0) this.#scheduled = false
    else setImmediate(() => this.#flush(next, Date.now() + patience))
  }
}

const runGroup = (connection: Connection, group: ReadonlyArray<Waiting>) =>
  group.map(({ work }) => runPart(connection, work))

const runPart = (connection: Connection, work: Work<any>): Effect.Effect<any, any> => {
  connection.prepare("SAVEPOINT part").run()
  try {
    const result = work.body(connection)
    connection.prepare("RELEASE part").run()
    return Effect.succeed(result)
  } catch (error) {
    if (!work.refuses(error)) throw error
    connection.prepare("ROLLBACK TO part").run()
    connection.prepare("RELEASE part").run()
    return Effect.fail(error)
  }
}
