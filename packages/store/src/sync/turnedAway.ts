/** Why a unit that is to be put back stands no more, whatever it says: who may write is said otherwise in the log now. */
import { MachineEnrolled, MachineRevoked, machinesStream } from "@context-engine/core/domain/Machine"
import { isEnrolled, isOpen, type Member, type Membership } from "@context-engine/core/domain/Membership"
import { rejection } from "@context-engine/core/domain/Rejection"
import type { Verdict } from "@context-engine/core/services/sync/redecide"
import { isDecision } from "@context-engine/core/services/sync/units"
import type { Placed } from "./already.js"
import type { Author } from "./author.js"

/** What units are decided on. */
export interface Ground {
  /** The members of the log without them, and those that there were with them. */
  readonly members: Membership
  readonly were: Membership
  /** The roots under which this machine may have signed them. */
  readonly roots: ReadonlyArray<string>
  /** Up to here this machine knew of others' events when it decided. */
  readonly known: number
  /** It asks to be let in before them: what its file has under a key that was revoked is what it wrote itself. */
  readonly joins: boolean
  /** All of them wait here, and never were in the shared log: what is under a key that may not write was written in this file. */
  readonly waited: boolean
}

/**
 * Why a unit stands no more, for others turned a machine away: the one whose key signed it, or the one that an admin here let in
 * without knowing that. Under another key, or once it is known, a person may say so again.
 */
export const turnedAway = (
  unit: ReadonlyArray<Placed>,
  tail: ReadonlyArray<Placed>,
  now: Membership,
  author: Author,
  ground: Ground,
): Verdict | undefined => {
  const [first] = unit as readonly [Placed, ...Array<Placed>]
  const { known, members } = ground
  const reason = mayNotWrite(unit, now, author, ground)
  if (reason !== undefined && first.stream !== machinesStream && !isSettling(unit)) return refusal(reason)
  if (first.type !== MachineEnrolled.type) return undefined
  const { machineId } = first.data as { readonly machineId: string }
  const found = members.machines.get(machineId)
  const isOwn = ({ data, type }: Placed) =>
    type === MachineRevoked.type && (data as typeof found)?.machineId === machineId
  if (found?.status !== "revoked" || found.position <= known || tail.some(isOwn)) return undefined
  return refusal(`${found.name} was revoked meanwhile (position ${found.position})`)
}

/**
 * Why another key's unit, which counted here, may not be put after what is in the log now. Only a machine says so that may write
 * itself, or that comes with a new key: what its file has under its old one is what it wrote itself. What has happened is no command
 * that could be refused: it stays, and counts for nothing from there on.
 */
export const mayNotWrite = (
  unit: ReadonlyArray<Placed>,
  now: Membership,
  { signer }: Author,
  { joins, waited, were }: Ground,
): string | undefined => {
  const [first] = unit
  const key = first?.meta.key
  if (key === undefined || first?.row[13] === null || signer === undefined || key === signer.id) return undefined
  const writer = now.machines.get(key)
  const isRevoked = writer?.status === "revoked"
  if ((joins || waited) && isRevoked) return `it was written with the key of ${writer.name}, which is revoked`
  // The key that waited was lost before anybody let it in, or is not the one that this machine goes by.
  if (((joins && unit.some(isDecision)) || waited) && (writer ?? waiting).status === "waiting")
    return `it was written with ${keyOf(writer ?? were.machines.get(key), joins)}`
  if (isOfOtherLog(were, now)) return ofOtherLog(were.machines.get(key)?.name)
  if (were.root === null || were.root.eventId !== now.root?.eventId) return undefined
  if (isEnrolled(now, key) || !isEnrolled(now, signer.id)) return undefined
  if (!unit.some(isDecision) && !isSettling(unit)) return undefined
  const known = were.machines.get(key)
  if (known === undefined || known.status === "waiting") return undefined
  return isRevoked
    ? `it was written with the key of ${writer.name}, which is revoked`
    : `it was written with the key of ${known.name}, which may not write to the log any more`
}

/** A key that the log does not know is one that nobody was asked about. */
const waiting = { status: "waiting" } as const

/** Whose key it is, in words. What is in the file of a machine that asks to be let in is its own. */
const keyOf = (writer: Member | undefined, isOwn: boolean): string => {
  if (writer !== undefined) return `the key of ${writer.name}, which nobody enrolled`
  return isOwn ? "another key of this machine, which nobody enrolled" : "a key that nobody enrolled in this log"
}

/** What another machine signed in another log holds in no other: a person may give it again. */
const ofOtherLog = (name: string | undefined): string =>
  `${name ?? "another machine"} wrote it in another log than this one`

/** Whether none of the roots of one was ever one of the other's. */
export const isOfOtherLog = (were: Membership, now: Membership): boolean => {
  const [before, after] = [were, now].map(rootsOf) as [ReadonlyArray<string>, ReadonlyArray<string>]
  return before.length > 0 && after.length > 0 && !before.some((id) => after.includes(id))
}

const rootsOf = ({ earlier, root }: Membership): ReadonlyArray<string> =>
  root === null ? [] : [root.eventId, ...earlier.map((one) => one.root)]

/** Whether a unit only tells of a refused command, or lets it go: that changes nothing, and goes on under another key. */
export const isSettling = (unit: ReadonlyArray<Placed>): boolean =>
  unit.every(({ stream }) => stream.startsWith(`${rejection.name}-`))

export const refusal = (reason: string) => ({ outcome: "refused", reason }) as const

/** Whether they let the same machines write, under the same names, and the same codes let others in. */
export const areAlike = (some: Membership, others: Membership): boolean => rightsIn(some) === rightsIn(others)

const rightsIn = ({ invites, machines }: Membership): string => {
  const members = [...machines.values()].filter(({ status }) => status !== "waiting")
  const rights = members.map(({ machineId, name, role, status }) => [machineId, name, role, status])
  const open = [...invites.values()].filter(isOpen).map(({ inviteId, left }) => [inviteId, left])
  return JSON.stringify([rights, open].map((list) => list.map(String).sort()))
}
