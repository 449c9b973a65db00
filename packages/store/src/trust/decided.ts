/** What a person on this machine decided of the roots of its log. */
import type { Connection } from "../connection.js"
import type { KeptRoot } from "../memory/roots.js"
import type { EventRow } from "../record.js"
import { claimedKey, ownKey } from "./chain.js"

/**
 * By the id of a root's event: whether a public key is that of the root which was accepted, or that none was wanted. Whoever can write
 * to the shared log can put another root there under the same id, so the id alone is not the root.
 */
export type Decided = ReadonlyMap<string, ((publicKey: string) => boolean) | "turned down">

/** Whether this very root was accepted. */
export const isAccepted = (decided: Decided, row: EventRow): boolean => {
  const isKey = decided.get(row[1])
  if (isKey === undefined || isKey === "turned down") return false
  const publicKey = ownKey(row, claimedKey(row) ?? "")
  return publicKey !== undefined && isKey(publicKey)
}

/** Whether a person on this machine has gone back from some root, or did not want it. */
export const hasTurnedDown = (decided: Decided): boolean => [...decided.values()].includes("turned down")

/** Older versions did not keep the key: it is that of the root in the log, or any where that is there no more. */
export const readDecided = (connection: Connection): Decided =>
  new Map(
    connection
      .prepare(
        `SELECT event_id, accepted_at, coalesce(public_key, (SELECT iif(json_valid(data), data ->> 'publicKey', NULL) FROM events WHERE id = event_id))
         FROM roots WHERE accepted_at IS NOT NULL OR public_key IS NULL`,
      )
      .all()
      .map(([id, acceptedAt, key]) => [
        id as string,
        acceptedAt === null ? "turned down" : (publicKey: string) => key === null || key === publicKey,
      ]),
  )

/** The roots that a person on this machine has gone back from, or did not want, by their events. */
export const readTurnedDown = (connection: Connection): ReadonlyArray<string> =>
  [...readDecided(connection)].flatMap(([id, decided]) => (decided === "turned down" ? [id] : []))

/** A person on this machine takes a root for the right one, or its own key began it. */
export const acceptRoot = (connection: Connection, { eventId, publicKey }: KeptRoot): void => {
  connection
    .prepare(
      `INSERT INTO roots (event_id, accepted_at, public_key) VALUES (?1, ?2, ?3)
       ON CONFLICT (event_id) DO UPDATE SET accepted_at = ?2, public_key = ?3`,
    )
    .run(eventId, new Date().toISOString(), publicKey)
}

/** Takes roots for the right ones no more. They are not asked about again; whoever wants one back can say so. */
export const turnDownRoots = (connection: Connection, eventIds: ReadonlyArray<string>): void => {
  const put = connection.prepare(
    "INSERT INTO roots (event_id) VALUES (?1) ON CONFLICT (event_id) DO UPDATE SET accepted_at = NULL, public_key = NULL",
  )
  for (const id of eventIds) put.run(id)
}
