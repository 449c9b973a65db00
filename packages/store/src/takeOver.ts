/** Takes events over from elsewhere, as they are, with their rows: what imports and replays do. All of them or none. */
import { InvalidInput, type StorageError, UniqueViolation } from "@context-engine/core/Errors"
import type { Taken } from "@context-engine/core/services/Audit"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { isDriverError, type NativeConnection, storageError } from "./connection.js"
import { clashes, columns, type EventRow, hashOf } from "./record.js"
import { readHead, readShared } from "./standing.js"
import { BrokenChain, judgeAfter, takeIncoming } from "./sync/judging.js"
import { readCovered } from "./trust/acknowledged.js"
import { isRoot } from "./trust/chain.js"
import { acceptRoot, type Decided } from "./trust/decided.js"
import { rebuildLinks } from "./trust/links.js"
import { readMembership } from "./trust/membership.js"
import { pendingOf, readInert } from "./trust/verdicts.js"

type TakeOverError = StorageError | InvalidInput

/** Whose word counts for roots that the rows bring with them. */
export interface Trusting {
  /** Accepted elsewhere: where a log's own rows are written into another file. */
  readonly decided?: Decided
  readonly replay?: Replay
}

/** A file that shows a log as of a moment. */
export interface Replay {
  readonly moment: string
  /** What is in the file for the chain's sake alone, by its position, and why. */
  readonly left: ReadonlyMap<number, string>
  /** Up to here the events have the shared log's time. */
  readonly recorded: number
}

/**
 * Appends rows of another log to one that is empty or a beginning of it, in one transaction. Each must continue the chain, and
 * is judged as what comes from the shared log is. Gives how many were new, and how many of those count for nothing.
 */
export const takeOver = (
  connection: NativeConnection,
  rows: Stream.Stream<EventRow, TakeOverError>,
  trusting: Trusting = {},
): Effect.Effect<Taken, TakeOverError> =>
  Effect.acquireUseRelease(
    attempt(connection, () => connection.begin()),
    () => {
      const start = readHead(connection)
      const taking = new Taking(connection, start, trusting)
      // What was never shared is kept nowhere as the place that its sessions had come to.
      const links = attempt(connection, () =>
        start.position > 0 ? rebuildLinks(connection, start.position) : undefined,
      )
      const all = Stream.runForEachChunk(Stream.rechunk(rows, 500), (chunk) =>
        attempt(connection, () => taking.take(Chunk.toReadonlyArray(chunk))),
      )
      return Effect.zipRight(links, all).pipe(
        Effect.zipRight(attempt(connection, () => taking.end())),
        Effect.flatMap((taken) =>
          Effect.as(
            attempt(connection, () => connection.commit()),
            taken,
          ),
        ),
      )
    },
    // There is something to undo only where it did not come to the commit.
    () => Effect.sync(() => connection.rollback()),
  )

/** Takes whole units: those that one signature spans may come in two chunks. */
class Taking {
  #held: Array<EventRow> = []

  constructor(
    readonly connection: NativeConnection,
    public head: { readonly position: number; readonly hash: string },
    readonly trusting: Trusting,
  ) {
    this.start = head.position
  }
  readonly start: number
  /** Where an event says a hash that is not its own. */
  readonly #unchained: Array<number> = []

  take(chunk: ReadonlyArray<EventRow>): void {
    const fresh = chunk.filter((row) => !isKnown(this.connection, this.start, row))
    for (const row of fresh) {
      this.#follow(row)
      if (row[11] === null || row[11] !== this.#held[this.#held.length - 1]?.[11]) this.#flush(this.#held.length > 500)
      this.#held.push(row)
    }
  }

  end(): Taken {
    this.#flush(true)
    const { replay } = this.trusting
    if (replay === undefined) this.#refuseUnseen()
    else showMoment(this.connection, replay)
    return { events: this.head.position - this.start, inert: readInert(this.connection, this.start).size }
  }

  #follow(row: EventRow): void {
    const [position] = row
    const { hash, position: before } = this.head
    if (position !== before + 1) throw broken(`position ${before + 1} is missing`)
    if (hashOf(hash, row) !== row[10]) this.#unchained.push(position)
    this.head = { position, hash: row[10] }
  }

  /**
   * What counts for nothing may say any hash, in a shared log. A line that somebody changed looks the same: only what an admin has
   * seen is taken. (A replay is of a log that is here, where all was judged.)
   */
  #refuseUnseen(): void {
    const covered = readCovered(this.connection, readMembership(this.connection))
    const unseen = this.#unchained.find((position) => position > covered)
    if (unseen === undefined) return
    throw broken(
      `the chain breaks at position ${unseen}; if the log that this comes from shows that event as one that counts for nothing, an admin says so there first (context infra machine acknowledge), and exports it anew`,
    )
  }

  /** Units are judged many at once: only where one ends. */
  #flush(now: boolean): void {
    if (!now || this.#held.length === 0) return
    const before = (this.#held[0] as EventRow)[0] - 1
    const { decided } = this.trusting
    const more = { acceptsFirst: true, ...(decided && { decided }) }
    const judged = judgeAfter(this.connection, before, this.#held, more)
    if (judged.stop?.why === "altered") throw broken(`the chain breaks at position ${judged.stop.position}`)
    if (judged.stop !== undefined) throw broken(`what stands at position ${judged.stop.position} cannot be judged`)
    // The root that was taken for the right one stays so. Another is for a person to accept, here too.
    for (const {
      judged: found,
      rows: [first],
    } of judged.units)
      if (found.verdict === "counts" && first !== undefined && isRoot(first))
        acceptRoot(this.connection, pendingOf(first))
    takeIncoming(this.connection, judged, readShared(this.connection).confirmed, this.trusting.replay?.left)
    this.#held = []
  }
}

/** Remembers what the file shows: also where it is simply the beginning of the log, for the log itself goes on in another way. */
const showMoment = (connection: NativeConnection, { left, moment, recorded }: Replay): void => {
  connection.prepare("UPDATE sync SET recorded = ?").run(recorded)
  const clash = connection
    .prepare("SELECT position FROM inert WHERE reason = ?")
    .all(clashes)
    .find(([position]) => !left.has(position))?.[0]
  if (clash !== undefined)
    throw broken(
      `then two machines that did not know of each other had things of one name (position ${clash}), which tables cannot hold; name a position, or a moment before or after it`,
    )
  connection.prepare("INSERT INTO replayed (one, moment) VALUES (1, ?)").run(moment)
}

/**
 * Whether an event is here already. One of another hash makes this another log; under the same, all of it has to be what was
 * written, but for when it was recorded.
 */
const isKnown = (connection: NativeConnection, until: number, row: EventRow): boolean => {
  if (row[0] > until) return false
  const own: EventRow = connection.prepare(`SELECT ${columns} FROM events WHERE position = ?`).get(row[0])
  if (own[10] !== row[10]) throw broken(`this log has another event at position ${row[0]}: it is not the same log`)
  if (row.some((value, index) => index !== 9 && value !== own[index]))
    throw broken(`what it says of position ${row[0]} is not what was written there`)
  return true
}

const broken = (reason: string) => new InvalidInput({ field: "", reason: `nothing was taken over: ${reason}` })

const attempt = <A>(connection: NativeConnection, body: () => A): Effect.Effect<A, TakeOverError> =>
  Effect.try({
    try: body,
    catch: (error) => {
      if (error instanceof InvalidInput) return error
      if (error instanceof UniqueViolation) return broken(error.message)
      if (error instanceof BrokenChain) return broken(`the chain breaks at position ${error.position}`)
      if (isDriverError(error) && /gap|append-only/.test((error as Error).message))
        return broken((error as Error).message)
      return storageError(connection.path, error)
    },
  })
