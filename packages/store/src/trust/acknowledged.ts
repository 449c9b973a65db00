/**
 * What an admin has acknowledged: exactly the places that were there when it looked. Where others count for nothing now, something
 * before was changed or taken away since, and the acknowledgement covers nothing of it.
 */
import { createHash } from "node:crypto"
import type { InertAcknowledged } from "@context-engine/core/domain/Machine"
import type { Membership } from "@context-engine/core/domain/Membership"
import type { EventOf } from "@context-engine/core/Event"
import type { Connection } from "../connection.js"
import { notYet } from "../record.js"
import { readMembership } from "./membership.js"

/** An event that counts for nothing, or before which the running numbers break: one is not the other. */
export interface Trouble {
  readonly position: number
  readonly id: string
  readonly what: "inert" | "break"
}

/** Names a set of them, in the order of the log. */
const digestOf = (troubles: ReadonlyArray<Trouble>): string => {
  const lines = troubles.map(({ id, position, what }) => `${position} ${what} ${id}`)
  return createHash("sha256")
    .update([...new Set(lines)].sort().join("\n"))
    .digest("hex")
}

/** The position up to which all of some troubles are covered, by the acknowledgement that goes farthest of those that fit them. */
export const coveredBy = ({ acknowledged }: Membership, troubles: ReadonlyArray<Trouble>): number => {
  const fitting = acknowledged.filter(
    ({ digest, until }) => digestOf(troubles.filter(({ position }) => position <= until)) === digest,
  )
  return Math.max(0, ...fitting.map(({ until }) => until))
}

/** All of them that a file knows. */
const readTroubles = (connection: Connection): ReadonlyArray<Trouble> =>
  connection
    .prepare(
      `SELECT position, id, what FROM (SELECT position, 'inert' AS what FROM inert WHERE reason <> ? UNION SELECT position, 'break' FROM breaks)
       JOIN events USING (position)`,
    )
    .all(notYet)
    .map(([position, id, what]) => ({ position, id, what }))

/** Up to where all has been acknowledged by an admin. */
export const readCovered = (connection: Connection, members: Membership): number =>
  members.acknowledged.length === 0 ? 0 : coveredBy(members, readTroubles(connection))

/** What an admin that acknowledges all of it now says. */
export const toAcknowledge = (connection: Connection): Acknowledged["data"] => {
  const troubles = readTroubles(connection)
  const covered = coveredBy(readMembership(connection), troubles)
  const places = new Set(troubles.map(({ position }) => position))
  const count = [...places].filter((place) => place > covered).length
  return { until: Math.max(0, ...places), count, places: digestOf(troubles) }
}

type Acknowledged = EventOf<typeof InertAcknowledged>
