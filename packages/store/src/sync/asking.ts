/** What is asked of the shared log, and made of its answer before anything of it is judged. */

import type { SyncError } from "@context-engine/core/Errors"
import type { Rejected } from "@context-engine/core/services/Sync"
import { isoTime } from "@context-engine/core/Time"
import * as Effect from "effect/Effect"
import { isSameClock, type Measured, startedAt } from "../clock.js"
import type { Database } from "../Database.js"
import type { EventRow } from "../record.js"
import { readShared } from "../standing.js"
import { claimedCount } from "../trust/chain.js"
import type { Vouched } from "../trust/keys.js"
import type { Advanced } from "./advance.js"
import type { Author } from "./author.js"
import { recognise } from "./contact.js"
import type { Answer, Place } from "./protocol.js"
import type { RemoteLog } from "./RemoteLog.js"
import { noteContact, type State } from "./state.js"

export interface Parts {
  readonly database: Database["Type"]
  readonly remote: RemoteLog["Type"]
  readonly author: Author
  /** The root that the key of this machine is for, where it says so. */
  readonly vouched?: Vouched | undefined
}

/** What was done so far. */
export class Tally {
  pushed = 0
  pulled = 0
  moved = 0
  roundTrips = 0
  /** Commands that were told as refused, whatever led to that. */
  readonly rejected: Array<Rejected> = []
  #told = 0

  /** Those of which nobody was told yet. */
  get untold(): ReadonlyArray<Rejected> {
    const found = this.rejected.slice(this.#told)
    this.#told = this.rejected.length
    return found
  }

  add({ moved, pulled, pushed }: Advanced): void {
    this.pushed += pushed
    this.pulled += pulled
    this.moved += moved
  }
}

/** Events pulled at once. */
const pulled = 5_000
/** Others' events that are gathered before ours are decided again on all of them at once. */
const gathered = 50_000
/** And so many characters of them: their chain is looked at only then. */
const gatheredCharacters = 100_000_000
/** About how many characters they are. */
const sizeOf = (rows: ReadonlyArray<EventRow>): number =>
  rows.reduce((sum, row) => sum + row[6].length + row[7].length + 400, 0)

/** One round trip; or more, where ours are to be decided again and others' events do not fit in one page. */
export const ask = (parts: Parts, tally: Tally, state: State, page: ReadonlyArray<EventRow>, keepTimes: boolean) =>
  Effect.gen(function* () {
    const { database, remote } = parts
    const exchange = (from: Place, push: ReadonlyArray<EventRow>) => {
      tally.roundTrips += 1
      return remote.exchange({ from, logId: state.logId, push, keepTimes, limit: pulled })
    }
    const before = startedAt()
    const sent = Date.now()
    const answer = yield* Effect.flatMap(exchange(state.confirmed, page), (one) =>
      recognise(remote.address, state, one),
    )
    const received = Date.now()
    const measured = measure(Math.round(Date.parse(answer.now) - (sent + received) / 2), before, received)
    const looked = { head: answer.head, at: new Date(received).toISOString(), measured }
    yield* database.write((c) => noteContact(c, looked))
    const rows = [...answer.rows]
    let characters = sizeOf(rows)
    while (page.length > 0 && rows.length > 0 && rows.length < gathered && characters < gatheredCharacters) {
      const last = rows[rows.length - 1] as EventRow
      if (last[0] >= answer.head) break
      const more: Answer | undefined = yield* exchange({ position: last[0], hash: last[10] }, [])
      if (more === undefined || more.rows.length === 0 || more.hashAtFrom !== last[10]) break
      for (const row of more.rows) rows.push(row)
      characters += sizeOf(more.rows)
    }
    const whole = yield* wholeUnits(rows, answer.head, (from) => exchange(from, []))
    const since = yield* database.read((c) => readShared(c).recorded)
    return { answer, rows: withSaneTimes(whole, answer.now, since) }
  })

/** A clock that was set while the answer was on its way cannot be compared with the shared log's by it. */
const measure = (skew: number, before: number | null, at: number): Measured | null => {
  const after = startedAt()
  return after !== null && isSameClock(before, after) ? { skew, at, startedAt: after } : null
}

const hour = 3_600_000

/**
 * When an event was recorded is the shared log's word, and outside the chain: what whoever holds the token wrote there, and no
 * clock can have said, is replaced by the time before it.
 */
const withSaneTimes = (rows: ReadonlyArray<EventRow>, now: string, since: string): ReadonlyArray<EventRow> => {
  const most = isoTime(Date.parse(now) + hour)
  let last = since === "" ? now : since
  return rows.map((row) => {
    const isSane = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(row[9]) && row[9] <= most && row[9] >= since
    if (isSane && row[9] >= last) last = row[9]
    else if (isSane && since === "") last = row[9]
    return row[9] === last ? row : (row.with(9, last) as unknown as EventRow)
  })
}

/**
 * A unit at the end of a page may go on after it: then it is asked for, too, as far as a machine has room for. How long it is
 * only its first event says, whoever wrote that; what is left out here comes with the next page, and is judged with this.
 */
const wholeUnits = (
  rows: Array<EventRow>,
  head: number,
  more: (from: Place) => Effect.Effect<Answer | undefined, SyncError>,
) =>
  Effect.gen(function* () {
    while (rows.length > 0 && sizeOf(rows) < gatheredCharacters) {
      const last = rows[rows.length - 1] as EventRow
      const first = rows.findLastIndex((row) => row[11] !== last[11]) + 1
      const missing = last[11] === null ? 0 : claimedCount(rows[first] as EventRow) - (rows.length - first)
      if (missing <= 0 || last[0] >= head) break
      const answer = yield* more({ position: last[0], hash: last[10] })
      if (answer === undefined || answer.rows.length === 0 || answer.hashAtFrom !== last[10]) break
      for (const row of answer.rows) rows.push(row)
    }
    return rows
  })
