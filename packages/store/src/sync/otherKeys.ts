/** What waits in this file under a key that may not write, where this machine itself may: it is not pushed to count for nothing. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { isEnrolled, type Membership } from "@context-engine/core/domain/Membership"
import type { Connection } from "../connection.js"
import type { EventRow } from "../record.js"
import { claimedKey } from "../trust/chain.js"
import { readMembership } from "../trust/membership.js"
import { readInert } from "../trust/verdicts.js"
import type { Author } from "./author.js"
import { putBack, readTail, takeOut } from "./rebase.js"
import { countRebase, readState } from "./state.js"

/**
 * Tells it as refused, so that nothing of it is lost and this machine can give it again. `restoreUntil`: what stands up to there was in
 * the shared log once, and goes back as it was.
 */
export const refuseOtherKeys = (connection: Connection, author: Author, restoreUntil: number): void => {
  const { signer } = author
  const { confirmed } = readState(connection)
  if (signer === undefined || confirmed.position < restoreUntil) return
  const [found] = connection.prepare(ofOthers).all(confirmed.position, signer.id, machinesStream)
  if (found === undefined) return
  const members = readMembership(connection)
  if (!isEnrolled(members, signer.id)) return
  const tail = readTail(connection, confirmed.position)
  const inert = readInert(connection, confirmed.position)
  if (!tail.some((row) => !inert.has(row[0]) && isOfStranger(row, signer.id, members))) return
  countRebase(connection)
  putBack(connection, { ...takeOut(connection, confirmed, tail), waited: true }, author)
}

/** Whether anything waits under another key: nearly always there is nothing. */
const ofOthers = `SELECT 1 FROM events WHERE position > ?1 AND salt IS NOT NULL AND stream <> ?3
  AND iif(json_valid(meta), meta ->> 'key', NULL) <> ?2 LIMIT 1`

/** Whether a key signed it that is not this machine's, and that nobody let in, or that was revoked before. Its request to be let in is not meant. */
const isOfStranger = (row: EventRow, own: string, { machines }: Membership): boolean => {
  const key = claimedKey(row)
  if (key === undefined || key === own || row[13] === null || row[2] === machinesStream) return false
  const { position, status } = machines.get(key) ?? waiting
  return status === "waiting" || (status === "revoked" && position < row[0])
}

/** A key that the log does not know is one that nobody was asked about. */
const waiting = { status: "waiting", position: 0 } as const
