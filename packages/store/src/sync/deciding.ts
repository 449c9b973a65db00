/**
 * What becomes of this machine's own units where others came first: each is decided again, in order, on the rows of the log
 * without them.
 */
import { idOf } from "@context-engine/core/Aggregate"
import {
  EnrolmentRequested,
  MachineEnrolled,
  MachineRevoked,
  machinesStream,
  RootEstablished,
} from "@context-engine/core/domain/Machine"
import { admit, isEnrolled, type Membership } from "@context-engine/core/domain/Membership"
import { CommandRejected, RejectionSettled, rejection } from "@context-engine/core/domain/Rejection"
import type { Meta, Recorded } from "@context-engine/core/Event"
import { Fold } from "@context-engine/core/Fold"
import type { Rejected } from "@context-engine/core/services/Sync"
import { decisive } from "@context-engine/core/services/sync/entities"
import { redecide, type Verdict } from "@context-engine/core/services/sync/redecide"
import { units } from "@context-engine/core/services/sync/units"
import { what } from "@context-engine/core/views/tell"
import * as Either from "effect/Either"
import type { Connection } from "../connection.js"
import { type EventRow, type StoredRow, stored } from "../record.js"
import { signedBytes, signedOf } from "../Signer.js"
import { tables } from "../tables.js"
import { ownKey } from "../trust/chain.js"
import { holds } from "../trust/keys.js"
import { proves } from "../trust/membership.js"
import { isOwnWord } from "../trust/waiting.js"
import { type Author, write } from "./author.js"
import { placeOf, Squatted } from "./displaced.js"
import { renameDisplaced } from "./lost.js"
import { draftOf, type Standing } from "./reseal.js"

/** A stored event with its row, so that what was signed stays byte for byte. */
export type Placed = Recorded & { readonly row: EventRow }

/** What units are decided on. */
export interface Ground {
  /** The members of the log without them. */
  readonly members: Membership
  /** The roots under which this machine may have signed them. */
  readonly roots: ReadonlyArray<string>
  /** Up to here this machine knew of others' events when it decided. */
  readonly known: number
  /** It asks to be let in before them: what its file has under a key that was revoked is what it wrote itself. */
  readonly joins: boolean
}

/** Decides every unit again, in order, on the rows of the log without them. */
export const decide = (connection: Connection, tail: ReadonlyArray<Placed>, author: Author, ground: Ground) => {
  const { members, roots } = ground
  const world = loadWorld(connection)
  const known = thereAlready(connection, tail)
  const refused = refusedIn(connection, tail)
  const again = givenAgain(connection, tail)
  const kept: Array<Standing> = []
  const rejected: Array<Rejected> = []
  let now = members
  for (const unit of units(tail)) {
    // Who may write to another log is of no meaning in this one.
    if (unit.some((event) => event.stream === machinesStream) && !isOfRoot(unit, now)) continue
    const there = unit.filter(({ id }) => known.get(id) === "same").length
    // Another machine that has them, too, was faster: a copy of this file, or one that healed the log before this one.
    if (there === unit.length || refused.has((unit[0] as Placed).id)) continue
    const squatted = unit.some(({ id }) => known.get(id) === "other")
    const overtaken = there > 0 ? refusal(partly) : (again(unit) ?? turnedAway(unit, tail, now, author, ground))
    let verdict = overtaken ?? redecide(unit, world)
    const before = now
    const next = verdict.outcome === "stands" ? admitted(now, unit) : Either.right(now)
    if (Either.isRight(next)) now = next.right
    else {
      // It asked in vain; whoever decided who writes has to be told that it no longer holds.
      if ((unit[0] as Placed).type === EnrolmentRequested.type) continue
      verdict = refusal(next.left)
    }
    if (verdict.outcome === "stands") {
      const rows = unit.map(({ row }) => row)
      if (writtenByRevoked(unit, now, author, ground) !== undefined && isSettling(unit)) kept.push(resigned(unit))
      else if (!squatted) kept.push({ rows, others: isOthers(unit, author, now) })
      else if (isOwnWord(author.signer, rows, roots)) kept.push(issuedAnew(connection, unit, author))
      // Its own machine alone can write it under another id. A revocation is not gone on without.
      else if (isRevocation(unit, before)) throw new Squatted(placeOf(connection, rows[0]?.[1] ?? ""), "revocation")
      continue
    }
    kept.push({ drafts: [rejection_(author, unit, verdict)], recordedAt: "", fresh: true })
    rejected.push({ id: (unit[0] as Placed).id, what: what({ events: unit }), ...verdict })
  }
  return { kept, rejected }
}

const refusal = (reason: string): Verdict => ({ outcome: "refused", reason })

const partly = "the log has a part of it already"

/** Whether a unit takes the right to write from a machine that still has it. */
const isRevocation = (unit: ReadonlyArray<Placed>, members: Membership): boolean => {
  const [{ data, type }] = unit as readonly [Placed, ...Array<Placed>]
  return type === MachineRevoked.type && isEnrolled(members, (data as { readonly machineId: string }).machineId)
}

/**
 * Why a unit stands no more, for others turned a machine away: the one whose key signed it, or the one that an admin here let in
 * without knowing that. Under another key, or once it is known, a person may say so again.
 */
const turnedAway = (
  unit: ReadonlyArray<Placed>,
  tail: ReadonlyArray<Placed>,
  now: Membership,
  author: Author,
  ground: Ground,
): Verdict | undefined => {
  const [first] = unit as readonly [Placed, ...Array<Placed>]
  const { known, members } = ground
  const writer = writtenByRevoked(unit, now, author, ground)
  if (writer !== undefined && first.stream !== machinesStream && !isSettling(unit))
    return refusal(`it was written with the key of ${writer}, which is revoked`)
  if (first.type !== MachineEnrolled.type) return undefined
  const { machineId } = first.data as { readonly machineId: string }
  const found = members.machines.get(machineId)
  const isOwn = ({ data, type }: Placed) =>
    type === MachineRevoked.type && (data as typeof found)?.machineId === machineId
  if (found?.status !== "revoked" || found.position <= known || tail.some(isOwn)) return undefined
  return refusal(`${found.name} was revoked meanwhile (position ${found.position})`)
}

/** The name of a machine that wrote a unit and was turned away since, where that is not the one which decides. */
const writtenByRevoked = (
  [first]: ReadonlyArray<Placed>,
  now: Membership,
  { signer }: Author,
  { joins }: Ground,
): string | undefined => {
  if (!joins) return undefined
  const writer = now.machines.get(first?.meta.key ?? "")
  if (signer === undefined || writer?.machineId === signer.id || writer?.status !== "revoked") return undefined
  return writer.name
}

/** Whether a unit only tells of a refused command, or lets it go: that changes nothing, and goes on under another key. */
const isSettling = (unit: ReadonlyArray<Placed>): boolean =>
  unit.every(({ stream }) => stream.startsWith(`${rejection.name}-`))

/** The same, written anew. */
const resigned = (unit: ReadonlyArray<Placed>): Extract<Standing, { readonly fresh: true }> => ({
  drafts: unit.map(({ row }) => draftOf(row)),
  recordedAt: unit[0]?.recordedAt ?? "",
  fresh: true,
})

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

/** Whether a unit about who may write is of this log: it was signed under its root. */
const isOfRoot = (unit: ReadonlyArray<Placed>, members: Membership): boolean => {
  const [first] = unit as readonly [Placed, ...Array<Placed>]
  if (members.root === null) return true
  // One that is gone on with was written before, and what is here of it is a copy of that, or of another log.
  if (first.type === RootEstablished.type) return false
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
const issuedAnew = (connection: Connection, unit: ReadonlyArray<Placed>, author: Author): Standing => {
  const again = resigned(unit)
  const drafts = again.drafts.map((draft) => {
    const id = author.id()
    renameDisplaced(connection, draft.id, id)
    return { ...draft, id }
  })
  return { ...again, drafts }
}

/** The rows that decisions are made on, as they are in the tables. */
const loadWorld = (connection: Connection): Fold => {
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

/** Asks of units whether they give a command again that somebody has given again: a second time it would undo what came after that. */
const givenAgain = (connection: Connection, events: ReadonlyArray<Placed>) => {
  const streams = events.filter(({ type }) => type === RejectionSettled.type).map(({ stream }) => stream)
  const found = connection
    .prepare("SELECT id FROM rejections WHERE status = 'retried' AND id IN (SELECT value FROM json_each(?))")
    .all(JSON.stringify(streams.map(idOf)))
  const done = new Set(found.map(([id]) => `${rejection.name}-${id}`))
  return (unit: ReadonlyArray<Placed>): Verdict | undefined =>
    unit.some(({ stream }) => done.has(stream)) ? { outcome: "moot", reason: "it was given again already" } : undefined
}

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
