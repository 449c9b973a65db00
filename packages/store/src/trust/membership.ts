/** Who may write to the log of a file, read from the one stream that says so. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { admit, type Membership, nobody, type Submitted } from "@context-engine/core/domain/Membership"
import * as Either from "effect/Either"
import type { Connection } from "../connection.js"
import { decode, notYet, type StoredRow, stored } from "../record.js"
import { holds, invitedBytes } from "./keys.js"

/** The members as of a position, which is the end of the log unless one is given. Inert events say nothing. */
export const readMembership = (connection: Connection, until = Number.MAX_SAFE_INTEGER): Membership => {
  const rows = connection
    .prepare(`SELECT ${stored} FROM events WHERE stream = ? AND position <= ? ORDER BY version`)
    .all(machinesStream, until) as ReadonlyArray<StoredRow>
  return rows.reduce((state, row) => {
    // Who may write is said by the order of the log, never by a clock.
    if (row[14] !== null && row[14] !== notYet) return state
    const event = decode(row.with(14, null) as unknown as StoredRow)
    const submitted = {
      id: event.id,
      position: event.position,
      event,
      signer: event.meta.key ?? "",
      proves,
      // What was not accepted is inert, and was left out above.
      accepts: () => true,
    }
    return Either.getOrElse(admit(state, submitted), () => state)
  }, nobody)
}

/** Whether the key of an invite signed a newcomer's public key. */
export const proves: Submitted["proves"] = (proof, { invite, key, root }) =>
  holds(invite, invitedBytes(root, key), proof)
