/** Whether this machine may write into a log at all, whatever it is. */
import { machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import { StorageError } from "@context-engine/core/Errors"
import type { Connection } from "./connection.js"
import { refuseCut } from "./cut.js"
import type { Signer } from "./Signer.js"
import { readStanding, type Shared } from "./standing.js"
import { chainOfKey, isUnsigned, refuseRevoked, refuseStranger } from "./trust/sealing.js"

/** Throws `StorageError` where an append would be refused for who makes it, or would count for nothing. Changes nothing. */
export const checkWriter = (connection: Connection, signer: Signer | undefined): void => {
  const standing = readStanding(connection)
  const { own, shared } = standing
  refuseReplay(shared)
  refuseCut(standing)
  const known = signer && chainOfKey(own, signer)
  if (signer === undefined || (known === undefined && isUnsigned(connection))) refuseUnsigned(connection)
  else {
    refuseRevoked(connection, signer)
    if (known === undefined || known.root === "") refuseStranger(connection, signer)
  }
}

/**
 * Throws what the driver says of a file that cannot be written to: a transaction that writes nothing begins and ends well there.
 * Changes nothing, and costs no write.
 */
export const checkWritable = (connection: Connection): void => {
  connection.prepare("SAVEPOINT writable").run()
  try {
    connection.prepare("UPDATE sync SET rebases = rebases").run()
  } finally {
    connection.prepare("ROLLBACK TO writable").run()
    connection.prepare("RELEASE writable").run()
  }
}

/** A file that shows the past of a log does not go on, by nobody's events: that would be another log under the same keys. */
export const refuseReplay = ({ replayed }: Pick<Shared, "replayed">): void => {
  if (replayed === null) return
  throw new StorageError({
    reason: "foreign",
    message: `this file shows a log as of ${replayed}, for audit replay wrote it: nothing is added to it; name the log itself with --db or CONTEXT_DB`,
  })
}

/** An unsigned event in a signed log would count for nothing. */
export const refuseUnsigned = (connection: Connection): void => {
  const roots = connection.prepare(
    "SELECT 1 FROM events WHERE stream = ? AND type = ? AND position NOT IN (SELECT position FROM inert) LIMIT 1",
  )
  if (roots.get(machinesStream, RootEstablished.type) === undefined) return
  throw new StorageError({
    reason: "not-enrolled",
    message: "this log is signed, and an unsigned event in it would count for nothing: leave out CONTEXT_KEY=off",
  })
}
