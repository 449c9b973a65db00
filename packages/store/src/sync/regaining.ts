/** A file that lacks what it says that it shared, for its end was cut off: what the shared log has of it comes back. */
import type { StorageError, SyncError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import { takeEnd } from "../goOn.js"
import { rebuildOn } from "../rebuildOn.js"
import { hashAt } from "../standing.js"
import { forgetAfter } from "../trust/verdicts.js"
import type { Parts } from "./asking.js"
import { meet } from "./contact.js"
import { bind, note, readState } from "./state.js"

/**
 * Goes back to the last event that both have, from where the exchange brings the rest. Where the shared log lacks something, too, or
 * is another one, it is left to those who tell of that.
 */
export const regain = ({ author, database, remote }: Parts): Effect.Effect<void, SyncError | StorageError> =>
  Effect.gen(function* () {
    if (!(yield* database.read(lacksShared))) return
    const { confirmed, logId } = yield* database.read(readState)
    const met = yield* meet(database, remote, author.signer?.id)
    if (met.logId !== logId || met.remoteEvents < confirmed.position) return
    // The rows of what is gone are still there.
    yield* Effect.scoped(Effect.flatMap(database.dedicated, (connection) => rebuildOn(connection)))
    yield* database.write((connection) => {
      takeEnd(connection)
      forgetAfter(connection, met.place.position)
      bind(connection, logId, met.place)
      const detail = `what this file lacked after position ${met.place.position} is taken from there again`
      note(connection, { at: new Date().toISOString(), what: "connected", detail })
    })
  })

/** Whether the last event that both had is not there any more, or is another one. */
const lacksShared = (connection: Connection): boolean => {
  const { confirmed, logId } = readState(connection)
  return logId !== null && confirmed.position > 0 && hashAt(connection, confirmed.position) !== confirmed.hash
}
