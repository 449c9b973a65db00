/** What was only read of a log is not this machine's: it is given back where the file goes on with another log. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { isEnrolled } from "@context-engine/core/domain/Membership"
import type { StorageError, SyncError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import type { Database } from "../Database.js"
import { genesis } from "../record.js"
import { readSigning } from "../standing.js"
import { claimedKey } from "../trust/chain.js"
import { readMembership } from "../trust/membership.js"
import { rebuildLinks } from "../trust/verdicts.js"
import type { Author } from "./author.js"
import type { Place } from "./protocol.js"
import { putBack, readTail, takeOut } from "./rebase.js"
import { bind, countRebase } from "./state.js"

/** Whether what was read is not the log that an invite is for. */
export const isOfOther = ({ reason }: SyncError | StorageError): boolean =>
  ["not-enrolled", "new-root", "foreign"].includes(reason)

/** A file that had nothing in it has nothing again: what it read of another log would be taken for this machine's own work. */
export const unread = (database: Database["Type"]): Effect.Effect<void, StorageError> => {
  const nowhere = { position: 0, hash: genesis }
  const empty = database.write((connection) => {
    takeOut(connection, nowhere, readTail(connection, 0))
    for (const table of ["chains", "roots"]) connection.exec(`DELETE FROM ${table}`)
    connection.exec("UPDATE checkpoint SET position = 0, machine = NULL")
    bind(connection, null, nowhere)
  })
  return Effect.zipRight(empty, Effect.asVoid(database.memory.accept))
}

/** The key of which alone something in this file is this machine's; nothing where all of it is, because the machine belongs to the log. */
const readsAs = (connection: Connection): string | undefined => {
  const members = readMembership(connection)
  const own = readSigning(connection)?.machine ?? ""
  return members.root === null || isEnrolled(members, own) ? undefined : own
}

/** How many events after a place are this machine's. */
export const countOwn = (connection: Connection, after: number): number => {
  const own = readsAs(connection)
  const condition =
    own === undefined ? "" : `AND iif(json_valid(meta), meta ->> 'key', NULL) = ?2 AND stream <> '${machinesStream}'`
  const statement = connection.prepare(`SELECT count(*) FROM events WHERE position > ?1 ${condition}`)
  return (own === undefined ? statement.get(after) : statement.get(after, own))[0]
}

/** Takes out of a file what it only read of a log to which this machine does not belong: under its key it would be its own word. */
export const leaveOthers = (connection: Connection, place: Place, author: Author): void => {
  const own = readsAs(connection)
  if (own === undefined) return
  const counted = takeOut(connection, place, readTail(connection, place.position))
  const mine = counted.filter((row) => claimedKey(row) === own && row[2] !== machinesStream)
  countRebase(connection)
  rebuildLinks(connection, place.position)
  putBack(connection, mine, author)
}
