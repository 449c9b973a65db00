/**
 * Whoever holds the token of a plain server can take away or change single events there. Up to the last event that both logs
 * have, what is not there as it was written is written again. What has another hash is another history, and is not touched.
 */

import { randomUUID } from "node:crypto"
import { type StorageError, SyncError } from "@context-engine/core/Errors"
import { isoTime } from "@context-engine/core/Time"
import * as Effect from "effect/Effect"
import type { EventRow, StoredRow } from "../record.js"
import { fromBytes, isTime, untrue } from "./answers.js"
import { asTheyWere, type Comparison, compare, type Found, inWords, isMoved, nothingYet, settleTimes, type Wrong } from "./comparing.js" // biome-ignore format: one line
import { firstPage, type Place, type Rows } from "./protocol.js"
import type { Batch } from "./RemoteLog.js"
import { holdersStatement, nameStatement, placesStatement, rewriteStatements, windowStatements } from "./refilling.js"

type Failed = SyncError | StorageError

/** This machine's log, as far as it was shared. */
export interface Mine {
  readonly logId: string
  /** The last position that was known to be in the shared log. */
  readonly until: number
  /** The events after a position and up to another. */
  readonly range: (after: number, to: number) => Effect.Effect<ReadonlyArray<StoredRow>, StorageError>
  /** Their places alone, with their ids. */
  readonly places: (after: number, to: number) => Effect.Effect<ReadonlyArray<Place & { readonly id: string }>, StorageError> // biome-ignore format: one line
  readonly at: (positions: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<EventRow>, StorageError>
  /** The hashes of those that have these ids. */
  readonly hashes: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, string>, StorageError>
}

export interface Restored {
  /** What was written again, in words. */
  readonly done: ReadonlyArray<string>
  /** Where something else stands among the events of this log, which is not touched. */
  readonly others: ReadonlyArray<number>
}

const nothing: Restored = { done: [], others: [] }

export type Restore = (mine: Mine) => Effect.Effect<Restored, Failed>

/** Events that are looked at, or written, at once. */
const looked = 5_000
const written = 500

export const restoreWith =
  (address: string, run: Batch): Restore =>
  (mine) =>
    Effect.gen(function* () {
      const [name = []] = (yield* run([nameStatement], "read")) ?? []
      const [[logId, now] = []] = name
      if (name.length !== 1 || logId !== mine.logId || mine.until === 0) return nothing
      if (!isTime(now)) return yield* untrue(address, "no time")
      const reach = yield* reachOf(run, mine)
      const found = yield* look(address, run, mine, reach.most)
      settleTimes(found, isoTime(Date.parse(now) + 3_600_000))
      const inside = found.others.filter((position) => position < reach.least)
      if (inside.length > 0) return { done: [], others: inside }
      // What follows the last common event may be another history: then it is one from there on.
      const until = found.others.length > 0 ? reach.least : reach.most
      const wrong = found.wrong.filter(({ position }) => position <= until)
      return yield* rewrite(address, run, mine, wrong)
    })

/** How far the shared log has come of what is here: by an event in its place, and by one wherever it stands now. */
interface Reach {
  readonly least: number
  readonly most: number
}

const reachOf = (run: Batch, mine: Mine): Effect.Effect<Reach, Failed> =>
  Effect.gen(function* () {
    let most = 0
    let to = mine.until
    for (let size = 1; to > 0; size = looked) {
      const after = Math.max(0, to - size)
      const own = new Map((yield* mine.places(after, to)).map((place) => [place.hash, place]))
      const [found = []] = (yield* run([placesStatement([...own.keys()])], "read")) ?? []
      let least = 0
      for (const [position, id, hash] of found) {
        const place = own.get(String(hash))
        if (place === undefined) continue
        if (place.position === position) least = Math.max(least, place.position)
        else if (place.id === id) most = Math.max(most, place.position)
      }
      if (least > 0) return { least, most: Math.max(least, most) }
      to = after
    }
    return { least: 0, most }
  })

/** Holds all events up to a position against those that are there, window by window. */
const look = (address: string, run: Batch, mine: Mine, until: number): Effect.Effect<Comparison, Failed> =>
  Effect.gen(function* () {
    const into = nothingYet()
    let after = 0
    while (after < until) {
      const seen = yield* readWindow(address, run, after, Math.min(until, after + looked))
      const own = yield* mine.range(after, seen.to)
      const strange = own.flatMap((row) => {
        const there = seen.rows.get(row[0])
        return there === undefined || there.row[10] === row[10] ? [] : [String(there.row[1])]
      })
      const hashes = strange.length === 0 ? new Map<string, string>() : yield* mine.hashes(strange)
      for (const row of own) {
        const there = seen.rows.get(row[0])
        compare(into, row, there, there !== undefined && isMoved(there.row, hashes))
      }
      after = seen.to
      // Timers and sockets get their turn, too.
      yield* Effect.sleep(0)
    }
    return into
  })

/** What stands there, and how far that was read. */
const readWindow = (address: string, run: Batch, after: number, to: number) =>
  Effect.gen(function* () {
    const read = (asBytes: boolean) =>
      Effect.map(run(windowStatements(after, to, asBytes), "read"), (found) => windowOf(found ?? [], asBytes))
    // What a server cannot tell as text, it can as bytes.
    const { count, rows } = yield* Effect.catchIf(
      read(false),
      ({ message, reason }) => reason === "offline" && /\(HTTP 5\d\d\)/.test(message),
      (error) => Effect.mapError(read(true), () => error),
    )
    const last = rows[rows.length - 1]
    const end = rows.length < count && last !== undefined ? Number(last.row[0]) : to
    if (!Number.isSafeInteger(end) || end <= after || end > to)
      return yield* untrue(address, "none of the events that it was asked for")
    return { to: end, rows: new Map(rows.map((found) => [Number(found.row[0]), found])) }
  })

const windowOf = ([counted = [], found = []]: ReadonlyArray<Rows>, asBytes: boolean) => ({
  count: Number(counted[0]?.[0]),
  rows: found.map((all): Found => {
    const row = all.slice(0, -1)
    return { row: asBytes ? fromBytes(row) : row, whole: all[all.length - 1] === 1 }
  }),
})

/** Writes events again, so many at a time: each time is a transaction, and after any of them the rest can be done later. */
const rewrite = (
  address: string,
  run: Batch,
  mine: Mine,
  wrong: ReadonlyArray<Wrong>,
): Effect.Effect<Restored, Failed> =>
  Effect.gen(function* () {
    const done: Array<Wrong> = []
    while (done.length < wrong.length) {
      const next = wrong.slice(done.length, done.length + written)
      const rows = firstPage(yield* mine.at(next.map(({ position }) => position)))
      const part = next.slice(0, rows.length)
      const room = yield* roomFor(run, mine, rows)
      if (room.others.length > 0) return { done: inWords(done), others: room.others }
      const rewritten = { ...room, logId: mine.logId, wrong: part, rows: asTheyWere(part, rows), unique: randomUUID() }
      const results = yield* run(rewriteStatements(rewritten), "write")
      const back = results?.[results.length - 1]?.[0]?.[0]
      if (back !== part.length) return yield* changed(address)
      done.push(...part)
    }
    return { done: inWords(done), others: [] }
  })

/** Nothing of what was to be written stands there: the log has another name or other events than a moment before. */
const changed = (address: string): SyncError =>
  new SyncError({
    reason: "reset",
    message: `${address}: somebody else changed the shared log while it was put right. All that is known here is kept; context infra sync heal again goes on`,
  })

/** What stands in the way of events elsewhere: as their copy, as one that is to be written again itself, or as something else. */
const roomFor = (run: Batch, mine: Mine, rows: ReadonlyArray<EventRow>) =>
  Effect.gen(function* () {
    const [found = []] = (yield* run([holdersStatement(rows)], "read")) ?? []
    const known = found.map(([position]) => Number(position)).filter((one) => one > 0 && one <= mine.until)
    const own = new Map((yield* mine.at(known)).map((row) => [row[0], row[10]]))
    const isAside = ([position, , hash]: Rows[number]) => own.get(Number(position)) === hash
    const isCopy = (holder: Rows[number]) => !isAside(holder) && holder[3] === 1
    const copies = new Set(found.filter(isCopy).map(([, of]) => of))
    return {
      aside: [...new Set(found.filter(isAside).map(([position]) => Number(position)))],
      moved: rows.filter(([position]) => copies.has(position)),
      others: found.filter((one) => !isAside(one) && !isCopy(one)).map(([position]) => Number(position)),
    }
  })
