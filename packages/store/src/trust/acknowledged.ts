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

/** Names a set of places of the log, in their order. */
export const digestOf = (places: ReadonlyArray<number>): string =>
  createHash("sha256").update(places.join(" ")).digest("hex")

/** The position up to which all of some places are covered, by the acknowledgement that goes farthest of those that fit them. */
export const coveredBy = ({ acknowledged }: Membership, places: ReadonlyArray<number>): number => {
  const fitting = acknowledged.filter(
    ({ digest, until }) => digestOf(places.filter((place) => place <= until)) === digest,
  )
  return Math.max(0, ...fitting.map(({ until }) => until))
}

/** The places where an event counts for nothing, or the running numbers break. */
export const readPlaces = (connection: Connection): ReadonlyArray<number> =>
  connection
    .prepare("SELECT position FROM inert WHERE reason <> ? UNION SELECT position FROM breaks ORDER BY position")
    .all(notYet)
    .map(([position]) => position as number)

/** Up to where all has been acknowledged by an admin. */
export const readCovered = (connection: Connection, members: Membership): number =>
  members.acknowledged.length === 0 ? 0 : coveredBy(members, readPlaces(connection))

/** What an admin that acknowledges all of it now says. */
export const toAcknowledge = (connection: Connection): Acknowledged["data"] => {
  const places = readPlaces(connection)
  const covered = coveredBy(readMembership(connection), places)
  return {
    until: places.at(-1) ?? 0,
    count: places.filter((place) => place > covered).length,
    places: digestOf(places),
  }
}

type Acknowledged = EventOf<typeof InertAcknowledged>
