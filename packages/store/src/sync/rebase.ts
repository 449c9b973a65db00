/**
 * Puts this machine's own last events after those of others that came first, each command decided again on what there is
 * then. What cannot stand becomes a `CommandRejected` in its place; nothing that was acknowledged vanishes.
 */
import { EnrolmentRequested, machinesStream } from "@context-engine/core/domain/Machine"
import type { Membership } from "@context-engine/core/domain/Membership"
import { StorageError } from "@context-engine/core/Errors"
import { projections } from "@context-engine/core/views/all"
import { insertRows, place, readVersions } from "../append.js"
import type { Connection } from "../connection.js"
import { columns, decode, type EventRow, genesis } from "../record.js"
import { writeRows } from "../rows.js"
import { foldedTo, type Head, hashAt, readHead } from "../standing.js"
import { assertThere } from "../taken.js"
import { claimedKey } from "../trust/chain.js"
import { rebuildLinks } from "../trust/links.js"
import { readMembership } from "../trust/membership.js"
import type { Draft } from "../trust/sealing.js"
import { forgetAfter, knownAt, markClockSteps, readInert } from "../trust/verdicts.js"
import { rootsIn } from "../trust/waiting.js"
import type { Placed } from "./already.js"
import type { Author } from "./author.js"
import { decide } from "./deciding.js"
import { membersToKeep, refuseDisplacing } from "./displaced.js"
import { type Judged, judge, takeIncoming } from "./judging.js"
import type { Place } from "./protocol.js"
import { reseal, type Standing } from "./reseal.js"
import { membersAfter, type Part, partsOf } from "./roots.js"
import { countRebase, forgetRows, readState, setConfirmed } from "./state.js"
import { unguarded } from "./triggers.js"
import type { Ground } from "./turnedAway.js"
import { unfold } from "./unfold.js"

export interface Rebased {
  readonly moved: number
  /** Another place was found to write with this machine's key. */
  readonly cloned: boolean
}

/**
 * `tail` is all that follows `base` here; `incoming`, judged already, is what follows it in the shared log. `first` is put before
 * the tail. Within a transaction.
 */
export const rebase = (
  connection: Connection,
  base: Place,
  tail: ReadonlyArray<EventRow>,
  incoming: Judged | undefined,
  author: Author,
  first: ReadonlyArray<Draft> = [],
): Rebased => {
  countRebase(connection)
  const members = membersToKeep(connection, tail)
  const mine = takeOut(connection, base, tail)
  if (incoming !== undefined && members !== undefined) refuseDisplacing(connection, { base, tail, members }, incoming)
  if (incoming !== undefined) takeIncoming(connection, incoming)
  return putBack(connection, mine, author, first)
}

/**
 * Judges the shared log again from a position on, after a person said something about it: what counted for nothing may count now,
 * and what waits here is put after it anew. So is what this machine had pushed and what counts no more: it is decided again and
 * written under new ids, so that nothing that was acknowledged vanishes.
 */
export const rejudge = (connection: Connection, from: number, author: Author): Rebased => {
  countRebase(connection)
  const until = judgedUntil(connection)
  const position = Math.min(from, until + 1) - 1
  const hash = hashAt(connection, position) ?? genesis
  const rows = readTail(connection, position)
  const shared = rows.filter((row) => row[0] <= until)
  const counted = takeOut(connection, { position, hash }, rows)
  rebuildLinks(connection, position)
  const judged = judge(knownAt(connection, position), shared)
  const isShared = readState(connection).logId !== null
  // What is not taken over here comes from the shared log again; a file that is alone has nowhere to get it from.
  if (judged.stop !== undefined && !isShared) throw unjudged(judged.stop.position)
  takeIncoming(connection, judged)
  const last = judged.rows[judged.rows.length - 1]
  if (isShared)
    setConfirmed(connection, last === undefined ? { position, hash } : { position: last[0], hash: last[10] })
  const inert = readInert(connection, position)
  const isMine = (row: EventRow) => inert.has(row[0]) && claimedKey(row) === author.signer?.id
  const mine = counted.rows.filter((row) => row[0] > until || isMine(row))
  return putBack(connection, { ...counted, rows: mine, known: until }, author)
}

/** The last position that the rule has spoken of: of a shared log what is confirmed, of one that is alone all. */
export const judgedUntil = (connection: Connection): number => {
  const { confirmed, logId } = readState(connection)
  return logId === null ? readHead(connection).position : confirmed.position
}

const unjudged = (position: number): StorageError =>
  new StorageError({
    reason: "unavailable",
    message: `what stands at position ${position} cannot be judged; nothing was changed`,
  })

/** Whether an event asks to be let in. */
export const isWish = (row: EventRow): boolean => row[2] === machinesStream && row[4] === EnrolmentRequested.type

/** What follows a place here. */
export const readTail = (connection: Connection, after: number, limit = -1): ReadonlyArray<EventRow> =>
  connection
    .prepare(`SELECT ${columns} FROM events WHERE position > ? ORDER BY position LIMIT ?`)
    .all(after, limit) as ReadonlyArray<EventRow>

/** What was taken out of the log: what counted of it. */
export interface Taken {
  /** What it followed. */
  readonly base: Place
  readonly rows: ReadonlyArray<EventRow>
  /** The roots under which this machine may have signed it, and who could write with it there. */
  readonly roots: ReadonlyArray<string>
  readonly were: Membership
  /** Up to here this machine knew of others' events when it wrote it. */
  readonly known: number
  /** Whether none of it was ever in the shared log. */
  readonly waited?: boolean
}

/** Takes all that follows a place out of the log, and its rows back to what they were there. */
export const takeOut = (connection: Connection, base: Place, tail: ReadonlyArray<EventRow>): Taken => {
  const [roots, were] = [rootsIn(connection), readMembership(connection)]
  const inert = readInert(connection, base.position)
  const rows = tail.filter((row) => !inert.has(row[0]))
  unguarded(connection, () => connection.prepare("DELETE FROM events WHERE position > ?").run(base.position))
  forgetAfter(connection, base.position)
  unfold(connection, rows.map(decode))
  forgetRows(connection)
  return { base, rows, roots, were, known: base.position }
}

/** Puts this machine's own events, which followed a place, at the end of the log, each command decided again; `first` come before them. */
export const putBack = (
  connection: Connection,
  { base, known, roots, rows: mine, waited = false, were }: Taken,
  author: Author,
  first: ReadonlyArray<Draft> = [],
): Rebased => {
  // A request that is made again is not made twice.
  const asks = first.some(({ type }) => type === EnrolmentRequested.type)
  const rows = mine.filter((row) => !(asks && isWish(row)))
  const done = partsOf(connection, base, rows, { author, first }).map((part) =>
    putPart(connection, { ...part, tail: rows }, author, { roots, were, known, joins: asks, waited }),
  )
  return {
    moved: done.reduce((sum, { moved }) => sum + moved, -first.length),
    cloned: done.some(({ cloned }) => cloned),
  }
}

const putPart = (
  connection: Connection,
  { first, rows: mine, tail }: Part & { readonly tail: ReadonlyArray<EventRow> },
  author: Author,
  about: Omit<Ground, "members">,
): Rebased => {
  const members = readMembership(connection)
  const head = readHead(connection)
  const events = mine.map((row): Placed => ({ ...decode(row), row }))
  const { roots } = about
  const ground = { ...about, members: membersAfter(members, first) }
  const kept = afterRequest(decide(connection, events, author, ground))
  const { cloned, rows } = reseal(connection, [...first, ...kept], author.signer, { members, after: head, roots, tail })
  const placed = putAfter(connection, head, rows)
  insertRows(connection, placed)
  assertThere(connection, placed)
  markClockSteps(connection, placed)
  writeRows(connection, projections, placed.map(decode), { keepAsOf: head.position })
  foldedTo(connection, readHead(connection).position)
  return { moved: rows.length, cloned }
}

/**
 * Nothing that a machine signs counts before its request to be let in: what it tells of others' work, which it gives back and which stands
 * here before that, comes after it.
 */
const afterRequest = (units: ReadonlyArray<Standing>): ReadonlyArray<Standing> => {
  const own = units.findIndex((unit) => !unit.fresh && !unit.others && unit.rows.some(isWish))
  const told = units.slice(0, Math.max(own, 0)).filter(({ fresh }) => fresh)
  const rest = units.filter((unit) => !told.includes(unit))
  const after = own - told.length + 1
  return told.length === 0 ? units : [...rest.slice(0, after), ...told, ...rest.slice(after)]
}

/** Gives events the next places of the log: position, version, time and hash. What was signed stays as it was. */
const putAfter = (connection: Connection, head: Head, rows: ReadonlyArray<EventRow>): ReadonlyArray<EventRow> => {
  const versions = new Map(readVersions(connection, [...new Set(rows.map((row) => row[2]))]))
  let { recordedAt } = head
  return place(rows, versions, head, (row) => {
    if (row[9] > recordedAt) recordedAt = row[9]
    return recordedAt
  })
}
