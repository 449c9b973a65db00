/**
 * Puts this machine's own last events after those of others that came first, each command decided again on what there is
 * then. What cannot stand becomes a `CommandRejected` in its place; nothing that was acknowledged vanishes.
 */
import { EnrolmentRequested, machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import { admit, isEnrolled, type Membership } from "@context-engine/core/domain/Membership"
import { CommandRejected, rejection } from "@context-engine/core/domain/Rejection"
import { StorageError } from "@context-engine/core/Errors"
import type { Meta, Recorded } from "@context-engine/core/Event"
import { Fold } from "@context-engine/core/Fold"
import type { Rejected } from "@context-engine/core/services/Sync"
import { decisive } from "@context-engine/core/services/sync/entities"
import { redecide, type Verdict } from "@context-engine/core/services/sync/redecide"
import { units } from "@context-engine/core/services/sync/units"
import { projections } from "@context-engine/core/views/all"
import { what } from "@context-engine/core/views/tell"
import * as Either from "effect/Either"
import { insertRows, place, readVersions } from "../append.js"
import type { Connection } from "../connection.js"
import { columns, decode, type EventRow, genesis, type StoredRow, stored } from "../record.js"
import { writeRows } from "../rows.js"
import { signedBytes, signedOf } from "../Signer.js"
import { type Head, hashAt, readHead } from "../standing.js"
import { tables } from "../tables.js"
import { assertThere } from "../taken.js"
import { claimedKey, ownKey } from "../trust/chain.js"
import { holds } from "../trust/keys.js"
import { proves, readMembership } from "../trust/membership.js"
import type { Draft } from "../trust/sealing.js"
import { forgetAfter, knownAt, markClockSteps, readInert, rebuildLinks } from "../trust/verdicts.js"
import { type Author, write } from "./author.js"
import { type Judged, judge, takeIncoming } from "./judging.js"
import type { Place } from "./protocol.js"
import { draftOf, reseal, type Standing } from "./reseal.js"
import { countRebase, forgetRows, readState, setConfirmed } from "./state.js"
import { unguarded } from "./triggers.js"
import { unfold } from "./unfold.js"

export interface Rebased {
  readonly moved: number
  readonly rejected: ReadonlyArray<Rejected>
  /** Another place was found to write with this machine's key. */
  readonly cloned: boolean
}

/** A stored event with its row, so that what was signed stays byte for byte. */
type Placed = Recorded & { readonly row: EventRow }

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
  const mine = takeOut(connection, base, tail)
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
  return putBack(
    connection,
    counted.filter((row) => row[0] > until || isMine(row)),
    author,
  )
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

/** What follows a place here. */
export const readTail = (connection: Connection, after: number, limit = -1): ReadonlyArray<EventRow> =>
  connection
    .prepare(`SELECT ${columns} FROM events WHERE position > ? ORDER BY position LIMIT ?`)
    .all(after, limit) as ReadonlyArray<EventRow>

/** Takes all that follows a place out of the log, and its rows back to what they were there. Gives what counted of it. */
export const takeOut = (
  connection: Connection,
  base: Place,
  tail: ReadonlyArray<EventRow>,
): ReadonlyArray<EventRow> => {
  const inert = readInert(connection, base.position)
  const counted = tail.filter((row) => !inert.has(row[0]))
  unguarded(connection, () => connection.prepare("DELETE FROM events WHERE position > ?").run(base.position))
  forgetAfter(connection, base.position)
  unfold(connection, counted.map(decode))
  forgetRows(connection)
  return counted
}

/** Puts this machine's own events at the end of the log, each command decided again; `first` come before them. */
export const putBack = (
  connection: Connection,
  mine: ReadonlyArray<EventRow>,
  author: Author,
  first: ReadonlyArray<Draft> = [],
): Rebased => {
  const events = mine.map((row): Placed => ({ ...decode(row), row }))
  const members = readMembership(connection)
  const head = readHead(connection)
  const { kept, rejected } = decide(connection, events, author, members)
  const begun = first.map((draft): Standing => ({ drafts: [draft], recordedAt: "", fresh: true }))
  const { cloned, rows } = reseal(connection, [...begun, ...kept], author.signer, members, head)
  const placed = putAfter(connection, head, rows)
  insertRows(connection, placed)
  assertThere(connection, placed)
  markClockSteps(connection, placed)
  writeRows(connection, projections, placed.map(decode), { keepAsOf: head.position })
  connection.prepare("UPDATE checkpoint SET position = ?").run(readHead(connection).position)
  return { moved: rows.length - begun.length, rejected, cloned }
}

/** Decides every unit again, in order, on the rows of the log without them. */
const decide = (connection: Connection, tail: ReadonlyArray<Placed>, author: Author, members: Membership) => {
  const world = loadWorld(connection)
  const known = thereAlready(connection, tail)
  const refused = refusedIn(connection, tail)
  const kept: Array<Standing> = []
  const rejected: Array<Rejected> = []
  let now = members
  for (const unit of units(tail)) {
    // Who may write to another log is of no meaning in this one.
    if (unit.some((event) => event.stream === machinesStream) && !isOfRoot(unit, members)) continue
    const there = unit.filter(({ id }) => known.get(id) === "same").length
    // Another machine that has them, too, was faster: a copy of this file, or one that healed the log before this one.
    if (there === unit.length || refused.has((unit[0] as Placed).id)) continue
    const squatted = unit.some(({ id }) => known.get(id) === "other")
    let verdict: Verdict =
      there > 0 ? { outcome: "refused", reason: "the log has a part of it already" } : redecide(unit, world)
    const next = admitted(now, unit)
    if (Either.isRight(next)) now = next.right
    else {
      // It asked in vain; whoever decided who writes has to be told that it no longer holds.
      if ((unit[0] as Placed).type === EnrolmentRequested.type) continue
      verdict = { outcome: "refused", reason: next.left }
    }
    if (verdict.outcome === "stands") {
      const others = isOthers(unit, author, now)
      kept.push(squatted ? issuedAnew(unit, author) : { rows: unit.map(({ row }) => row), others })
      continue
    }
    kept.push({ drafts: [rejection_(author, unit, verdict)], recordedAt: "", fresh: true })
    rejected.push({ id: (unit[0] as Placed).id, what: what({ events: unit }), ...verdict })
  }
  return { kept, rejected }
}

/** Whether another machine signed a unit, which was enrolled when it stands there, or asks for just that. */
const isOthers = (unit: ReadonlyArray<Placed>, { signer }: Author, members: Membership): boolean => {
  const [{ meta, row, type }] = unit as readonly [Placed, ...Array<Placed>]
  if (meta.key === undefined || row[13] === null || meta.key === signer?.id) return false
  return type === EnrolmentRequested.type || isEnrolled(members, meta.key)
}

/** The members after a unit of this machine, or why it does not count any more: it may be no admin now. */
const admitted = (members: Membership, unit: ReadonlyArray<Placed>): Either.Either<Membership, string> => {
  const [event] = unit as readonly [Placed, ...Array<Placed>]
  if (event.stream !== machinesStream || members.root === null) return Either.right(members)
  const signer = event.meta.key ?? ""
  return admit(members, { id: event.id, position: event.position, event, signer, proves, accepts: () => true })
}

/** Whether a unit about who may write is of this log: it makes the root, or was signed under it. */
const isOfRoot = (unit: ReadonlyArray<Placed>, members: Membership): boolean => {
  const [first] = unit as readonly [Placed, ...Array<Placed>]
  if (members.root === null) return true
  if (first.type === RootEstablished.type) return first.id === members.root.eventId
  const { key } = first.meta
  // Who asks to be let in is not known yet: its request brings the key that it is signed with.
  const asks = first.type === EnrolmentRequested.type
  const publicKey = asks ? ownKey(first.row, key ?? "") : members.machines.get(key ?? "")?.publicKey
  const bytes = signedBytes(
    unit.map(({ row }) => signedOf(row)),
    members.root.eventId,
  )
  return publicKey !== undefined && holds(publicKey, bytes, first.signature ?? "")
}

/** Somebody put events of other content under these ids into the shared log: ours are written again under new ones. */
const issuedAnew = (unit: ReadonlyArray<Placed>, author: Author): Standing => ({
  drafts: unit.map(({ row }) => ({ ...draftOf(row), id: author.id() })),
  recordedAt: unit[0]?.recordedAt ?? "",
  fresh: true,
})

/** The rows that decisions are made on, as they are in the tables. */
export const loadWorld = (connection: Connection): Fold => {
  const world = new Fold(decisive)
  for (const projection of decisive) {
    const table = tables.find(({ name }) => name === projection.name) as (typeof tables)[0]
    // Only what a person wrote on the timeline can be changed by one.
    const where = table.name === "infra_events" ? " WHERE source = 'person'" : ""
    const rows = world.rows(projection)
    for (const [json] of connection.prepare(`SELECT ${table.rowAsJson} FROM "${table.name}"${where}`).all()) {
      const row = JSON.parse(json)
      rows.set(row.id, row)
    }
  }
  return world
}

/** Which ids the log has already: with the same content, by a machine that counts, or with other. */
const thereAlready = (connection: Connection, events: ReadonlyArray<Placed>): ReadonlyMap<string, "same" | "other"> => {
  const ours = new Map(events.map((event) => [event.id, event.row]))
  const found = connection
    .prepare(`SELECT ${stored} FROM events WHERE id IN (SELECT value FROM json_each(?))`)
    .all(JSON.stringify([...ours.keys()])) as ReadonlyArray<StoredRow>
  return new Map(
    found.map((row) => {
      const own = ours.get(row[1]) as EventRow
      const same = row[14] === null && row[2] === own[2] && row[4] === own[4] && row[6] === own[6]
      return [row[1], same ? "same" : "other"]
    }),
  )
}

/** Which of them began a command that is refused in the log already. */
const refusedIn = (connection: Connection, events: ReadonlyArray<Placed>): ReadonlySet<string> =>
  new Set(
    connection
      .prepare("SELECT id FROM rejections WHERE id IN (SELECT value FROM json_each(?))")
      .all(JSON.stringify(events.map(({ id }) => id)))
      .map(([id]) => id as string),
  )

/** What says in the log that a command could not stand, and why. */
const rejection_ = (author: Author, unit: ReadonlyArray<Placed>, verdict: Exclude<Verdict, { outcome: "stands" }>) => {
  const first = unit[0] as Placed
  const { actor, commandId, machine } = first.meta
  const events = unit.map(({ row }) => ({
    id: row[1],
    stream: row[2],
    type: row[4],
    schema: row[5],
    data: JSON.parse(row[6]),
    meta: JSON.parse(row[7]),
    occurredAt: row[8],
  }))
  const data = {
    commandId,
    outcome: verdict.outcome,
    reason: verdict.reason,
    actor,
    machine,
    events,
    signature: first.signature,
  }
  const { count: _c, key: _k, number: _n, previous: _p, session: _s, ...wanted } = first.meta
  const meta: Meta = { ...wanted, commandId: author.id(), cause: commandId }
  return write(author, `${rejection.name}-${first.id}`, CommandRejected, data, meta)
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
