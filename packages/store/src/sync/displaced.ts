/**
 * Decisions about who may write that were in the shared log, and wait to be put back: a server was put back to before them, and
 * somebody may have written on it. By the order of the log that would count, as what comes before a decision does; but it is what
 * the decision was made against. So nothing is put before them but what is of a machine that may write after them, too.
 */
import {
  EnrolmentRequested,
  InviteIssued,
  MachineEnrolled,
  machinesStream,
  RootEstablished,
} from "@context-engine/core/domain/Machine"
import { isAdmin, isEnrolled, isOpen, type Membership } from "@context-engine/core/domain/Membership"
import type { Connection } from "../connection.js"
import { decode, type EventRow } from "../record.js"
import { claimedKey, isRoot } from "../trust/chain.js"
import { readMembership } from "../trust/membership.js"
import type { Judged } from "./judging.js"
import { readDisplaced } from "./lost.js"
import type { Place } from "./protocol.js"

/** Somebody wrote, where the shared log had been put back, what counts there and would not after what was there before. */
export class Displaced {
  constructor(
    readonly position: number,
    /** Who wrote it, as far as that is known. */
    readonly name: string,
  ) {}
}

/** Somebody took the id of a decision, without which this machine does not go on. */
export class Squatted {
  constructor(
    /** Where what bears it stands. */
    readonly position: number,
    readonly what: "decision" | "root",
  ) {}
}

/** Where an event stands under an id; 0 where none does. */
export const placeOf = (connection: Connection, id: string): number =>
  connection.prepare("SELECT position FROM events WHERE id = ?").get(id)?.[0] ?? 0

/** Who may write after the decisions that wait in a tail to be put back; `undefined` where there are none. */
export const membersToKeep = (connection: Connection, tail: ReadonlyArray<EventRow>): Membership | undefined => {
  const displaced = readDisplaced(connection)
  return displaced.size > 0 && tail.some((row) => displaced.has(row[1])) ? readMembership(connection) : undefined
}

/** What waits to be put back, what it followed, and who may write after it. */
interface Waiting {
  readonly base: Place
  readonly tail: ReadonlyArray<EventRow>
  readonly members: Membership
}

/** Throws `Displaced` where something of others counts before the decisions, and would not after them. */
export const refuseDisplacing = (connection: Connection, { base, members, tail }: Waiting, judged: Judged): void => {
  // What this machine has had of it before the decisions is what they were made after.
  const had = new Map(tail.map((row) => [row[1], row]))
  const isKnown = (row: EventRow) => had.get(row[1])?.[11] === row[11] && had.get(row[1])?.[6] === row[6]
  // Without a root nothing shows who wrote what is there.
  let rootless = members.root !== null && readMembership(connection, base.position).root === null
  const guests: Guests = { machines: new Set(), invites: new Set() }
  for (const { judged: found, rows } of judged.units) {
    if (found.verdict !== "counts" || rows.every(isKnown)) continue
    const first = rows[0] as EventRow
    // A root has another past where its own machine put it back, and is the same by its id and its key.
    const own = had.get(first[1])
    const isOther = isRoot(first) && own !== undefined && claimedKey(own) !== claimedKey(first)
    if (isRoot(first) && own !== undefined && !isOther) rootless = false
    if (isOther || rootless || !mayStand(members, guests, first)) throw new Displaced(first[0], nameOf(members, first))
  }
}

/** Whom admins let in there who are admins after the decisions, too: they could do so then as well. */
interface Guests {
  readonly machines: Set<string>
  readonly invites: Set<string>
}

const mayStand = (members: Membership, guests: Guests, row: EventRow): boolean => {
  const key = claimedKey(row) ?? ""
  if (row[2] !== machinesStream || row[4] === RootEstablished.type)
    return isEnrolled(members, key) || guests.machines.has(key)
  const { data } = decode(row) as { readonly data: Partial<Said> }
  if (row[4] === EnrolmentRequested.type) return comes(members, guests, data)
  if (!isAdmin(members, key)) return false
  if (row[4] === InviteIssued.type) guests.invites.add(data.inviteId ?? "")
  return row[4] !== MachineEnrolled.type || welcome(members, guests, data)
}

interface Said {
  readonly inviteId: string
  readonly machineId: string
  readonly invite: { readonly inviteId: string } | null
}

/** Who asks without an invite waits for a person in any case; one that was used up lets nobody in again. */
const comes = (members: Membership, guests: Guests, { invite, machineId }: Partial<Said>): boolean => {
  if (!invite || isEnrolled(members, machineId ?? "")) return true
  const known = members.invites.get(invite.inviteId)
  const isGood = known === undefined ? guests.invites.has(invite.inviteId) : isOpen(known)
  return isGood && welcome(members, guests, { machineId })
}

/** Who was revoked is let in by nobody's earlier word. */
const welcome = (members: Membership, guests: Guests, { machineId = "" }: Partial<Said>): boolean => {
  if (members.machines.get(machineId)?.status === "revoked") return false
  guests.machines.add(machineId)
  return true
}

/** What is to be said of who wrote an event. */
export const nameOf = (members: Membership, row: EventRow): string => {
  const key = claimedKey(row)
  const known = [members, ...members.earlier].flatMap(({ machines }) => [...machines.values()])
  return known.find(({ machineId }) => machineId === key)?.name ?? (key === undefined ? "nobody known" : key)
}
