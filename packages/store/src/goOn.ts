/** Going on with what is there of a log whose end was cut off in its file. */
import type { Connection } from "./connection.js"
import { endsOf, isAhead } from "./cut.js"
import { genesis } from "./record.js"
import { endSession, foldedTo, hashAt } from "./standing.js"
import { bind, note, readState } from "./sync/state.js"

/**
 * The end of the log is taken for that of what all machines share, as far as it was: what comes after it in the shared log comes from there
 * again, and what is written here goes on in a chain of its own. The rows have to be those of the log by then.
 */
export const goOnFromHere = (connection: Connection): void => {
  endSession(connection)
  takeEnd(connection)
  const { head, shared } = endsOf(connection)
  if (head >= shared) return
  bind(connection, readState(connection).logId, { position: head, hash: hashAt(connection, head) ?? genesis })
  const detail = `with what is there, up to position ${head}; what was shared after that comes from there again`
  note(connection, { at: new Date().toISOString(), what: "connected", detail })
}

/**
 * The end of the log is the one that it is meant to have: the file does not tell any more that it lacks something. Where the end is gone,
 * so is that of the chain that this file signed. The rows have to be those of the log by then.
 */
export const takeEnd = (connection: Connection): void => {
  if (!isAhead(connection)) return
  endSession(connection)
  foldedTo(connection, endsOf(connection).head)
}
