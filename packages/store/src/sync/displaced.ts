/**
 * Decisions about who may write that were in the shared log, and wait to be put back: a server was put back to before them, and
 * somebody may have written on it. By the order of the log that would count, as what comes before a decision does; but it is what
 * the decision was made against. So nothing is put before them but what is of a machine that may write after them, too.
 */
import { EnrolmentRequested, machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import { isAdmin, isEnrolled, isOpen, type Membership } from "@context-engine/core/domain/Membership"
import type { Connection } from "../connection.js"
import { decode, type EventRow } from "../record.js"
import { claimedKey } from "../trust/chain.js"
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

/** Who may write after the decisions that wait in a tail to be put back; `undefined` where there are none. */
export const membersToKeep = (connection: Connection, tail: ReadonlyArray<EventRow>): Membership | undefined => {
  const displaced = readDisplaced(connection)
  return displaced.size > 0 && tail.some((row) => displaced.has(row[1])) ? readMembership(connection) : undefined
}

/** Throws `Displaced` where something of others counts before the decisions, and would not after them. */
export const refuseDisplacing = (connection: Connection, base: Place, members: Membership, judged: Judged): void => {
  // Without a root nothing shows who wrote what is there.
  const rootless = members.root !== null && readMembership(connection, base.position).root === null
  for (const { judged: found, rows } of judged.units) {
    if (found.verdict !== "counts") continue
    const first = rows[0] as EventRow
    if (rootless || !mayStand(members, first)) throw new Displaced(first[0], nameOf(members, first))
  }
}

const mayStand = (members: Membership, row: EventRow): boolean => {
  const key = claimedKey(row) ?? ""
  if (row[2] !== machinesStream || row[4] === RootEstablished.type) return isEnrolled(members, key)
  if (row[4] !== EnrolmentRequested.type) return isAdmin(members, key)
  const { invite } = decode(row).data as { readonly invite: { readonly inviteId: string } | null }
  const shown = invite === null ? undefined : members.invites.get(invite.inviteId)
  // Who asks without an invite waits for a person in any case; who came by one before is known.
  return invite === null || isEnrolled(members, key) || (shown !== undefined && isOpen(shown))
}

/** What is to be said of who wrote an event. */
export const nameOf = (members: Membership, row: EventRow): string => {
  const key = claimedKey(row)
  const known = [members, ...members.earlier].flatMap(({ machines }) => [...machines.values()])
  return known.find(({ machineId }) => machineId === key)?.name ?? (key === undefined ? "nobody known" : key)
}
