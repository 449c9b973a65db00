/**
 * Which roots count together. A root names those that counted before it on its machine, and signs that: so who goes by it goes by
 * them, and by no others that were begun beside them, and all who go by one root have the same log.
 */
import type { Connection } from "../connection.js"
import { columns, type EventRow } from "../record.js"
import { acceptRoot, turnDownRoots } from "./decided.js"
import { lineageOf, type Pending, pendingOf, rootsAfter } from "./verdicts.js"

/** Takes a root for the right one, with its lineage. Gives the position from which on the log has to be judged again. */
export const goBy = (connection: Connection, { eventId, position, publicKey }: Pending): number => {
  const row: EventRow | undefined = connection.prepare(`SELECT ${columns} FROM events WHERE id = ?`).get(eventId)
  const lineage = row && lineageOf(connection, row)
  const counting = rootsAfter(connection, 0)
  // The first event of a log is its root in any case.
  const isWrong = (one: Pending) =>
    one.position > position ||
    (lineage !== undefined && one.position > 1 && !lineage.some(([, id]) => id === one.eventId))
  const wrong = counting.filter((one) => one.eventId !== eventId && isWrong(one))
  const missing = (lineage ?? []).filter(([, id]) => !counting.some((one) => one.eventId === id))
  turnDownRoots(
    connection,
    wrong.map((one) => one.eventId),
  )
  for (const one of [...missing.map(pendingOf), { eventId, publicKey }]) acceptRoot(connection, one)
  return Math.min(position, ...wrong.map((one) => one.position), ...missing.map(([place]) => place))
}
