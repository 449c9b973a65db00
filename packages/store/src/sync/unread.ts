/** What was only read of a log is not this machine's: it is given back where the file goes on with another log. */
import { machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import { isEnrolled } from "@context-engine/core/domain/Membership"
import type { StorageError, SyncError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import type { Database } from "../Database.js"
import { genesis } from "../record.js"
import { readHead } from "../standing.js"
import { claimedKey } from "../trust/chain.js"
import { rebuildLinks } from "../trust/links.js"
import { readMembership } from "../trust/membership.js"
import type { Author } from "./author.js"
import type { Place } from "./protocol.js"
import { putBack, readTail, takeOut } from "./rebase.js"
import { bind, countRebase, readState } from "./state.js"

/** Whether what was read is not the log that an invite is for. */
export const isOfOther = ({ reason }: SyncError | StorageError): boolean =>
  ["not-enrolled", "new-root", "foreign"].includes(reason)

/**
 * A file that had nothing in it has nothing again: what it read of another log would be taken for this machine's own work. What
 * another process has written meanwhile stays, and so does what that goes on from.
 */
export const unread = (database: Database["Type"]): Effect.Effect<void, StorageError> => {
  const nowhere = { position: 0, hash: genesis }
  const emptied = database.write((connection) => {
    if (readHead(connection).position > readState(connection).confirmed.position) return false
    takeOut(connection, nowhere, readTail(connection, 0))
    for (const table of ["chains", "roots"]) connection.exec(`DELETE FROM ${table}`)
    connection.exec("UPDATE checkpoint SET position = 0, machine = NULL, session = NULL")
    bind(connection, null, nowhere)
    return true
  })
  return Effect.flatMap(emptied, (done) => (done ? Effect.asVoid(database.memory.accept) : Effect.void))
}

/**
 * Up to where a file only reads the log of others, to which its key does not belong: what stands there is theirs, unless that key
 * signed it. What this machine did alone, before it ever met a shared log, is its own in any case. 0 where all of it is.
 */
const readsUntil = (connection: Connection, own: string): number => {
  const members = readMembership(connection)
  return members.root === null || isEnrolled(members, own) ? 0 : readState(connection).recorded
}

/** How many events after a place are this machine's, whose key is `own`. */
export const countOwn = (connection: Connection, after: number, own: string): number =>
  connection
    .prepare(
      `SELECT count(*) FROM events WHERE position > ?1 AND (position > ?2
       OR (iif(json_valid(meta), meta ->> 'key', NULL) = ?3 AND stream <> '${machinesStream}'))`,
    )
    .get(after, readsUntil(connection, own), own)[0]

/** Whether a machine, whose key is `own`, began a root of the log after a place that it shares: that goes with what is put there. */
export const beginsRoot = (connection: Connection, after: number, own: string): boolean =>
  after > 0 &&
  connection
    .prepare(
      `SELECT 1 FROM events WHERE position > ? AND type = '${RootEstablished.type}' AND stream = '${machinesStream}'
       AND iif(json_valid(meta), meta ->> 'key', NULL) = ?`,
    )
    .get(after, own) !== undefined

/** Takes out of a file what it only read of a log to which this machine does not belong: under its key it would be its own word. */
export const leaveOthers = (connection: Connection, place: Place, author: Author): void => {
  const own = author.signer?.id ?? ""
  const until = readsUntil(connection, own)
  if (until <= place.position) return
  const counted = takeOut(connection, place, readTail(connection, place.position))
  const mine = counted.rows.filter((row) => row[0] > until || (claimedKey(row) === own && row[2] !== machinesStream))
  countRebase(connection)
  rebuildLinks(connection, place.position)
  putBack(connection, { ...counted, rows: mine }, author)
}
