/** Everything that is appended from now on, whoever appends it, through every rebase. */
import type { StorageError } from "@context-engine/core/Errors"
import type { Recorded } from "@context-engine/core/Event"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Connection } from "./connection.js"
import type { Database } from "./Database.js"
import { decode, type StoredRow, stored } from "./record.js"
import { hashAt } from "./standing.js"

/** So many are read and decoded at once; then others have their turn. */
const pageSize = 500

/**
 * The events after a position, for ever: other processes write too, so it looks five times a second. Where the end of the log
 * was put after others' events, it goes back to what had been certain and gives what it has not given yet.
 */
export const follow = (database: Database["Type"], from: number): Stream.Stream<Recorded, StorageError> => {
  const follower = new Follower(from)
  const next = database.read((connection) => follower.next(connection))
  return Stream.paginateChunkEffect(true, (atOnce) =>
    Effect.map(Effect.zipRight(Effect.sleep(atOnce ? 0 : "200 millis"), next), ({ events, more }) => [
      Chunk.unsafeFromArray(events),
      Option.some(more),
    ]),
  )
}

class Follower {
  /** The last event given, by the hash that it had then. */
  #hash: string | undefined
  /** Up to here nothing ever changes. */
  #certain = 0
  /** What was given after that, or was there before: id by position. */
  readonly #given = new Map<number, string>()
  /** What was given already and comes by again, because it has another place. */
  #again = new Set<string>()
  #begun = false

  constructor(private after: number) {}

  next(connection: Connection): { readonly events: Array<Recorded>; readonly more: boolean } {
    if (!this.#begun) this.#begin(connection)
    if (this.#hash !== hashAt(connection, this.after)) this.#goBack()
    const rows = connection
      .prepare(`SELECT ${stored} FROM events WHERE position > ? ORDER BY position LIMIT ${pageSize}`)
      .all(this.after) as ReadonlyArray<StoredRow>
    this.after = rows[rows.length - 1]?.[0] ?? this.after
    for (const row of rows) this.#given.set(row[0], row[1])
    this.#settle(connection)
    const events = rows.filter((row) => !this.#again.has(row[1])).map(decode)
    const more = rows.length === pageSize
    if (!more) this.#again.clear()
    return { events, more }
  }

  #goBack(): void {
    for (const id of this.#given.values()) this.#again.add(id)
    this.#given.clear()
    this.after = this.#certain
  }

  /** What is there already is not given again when it gets another place. */
  #begin(connection: Connection): void {
    this.#begun = true
    const certain = Math.max(confirmed(connection), this.after - remembered)
    const there = connection.prepare("SELECT position, id FROM events WHERE position > ? AND position <= ?")
    for (const [position, id] of there.all(certain, this.after)) this.#given.set(position, id)
    this.#settle(connection)
  }

  /** Forgets what can never get another place. */
  #settle(connection: Connection): void {
    this.#hash = hashAt(connection, this.after)
    this.#certain = Math.max(this.#certain, Math.min(confirmed(connection), this.after))
    for (const position of this.#given.keys()) {
      if (position <= this.#certain || this.#given.size > remembered) this.#given.delete(position)
    }
  }
}

/** A machine may work alone for months: so many of its last events are known when it is connected in the end. */
const remembered = 10_000

const confirmed = (connection: Connection): number => connection.prepare("SELECT position FROM sync").get()[0]
