/** A log whose end was cut off in its file, as the file itself shows it: what tells of that, and going on with what is there. */
import { StorageError } from "@context-engine/core/Errors"
import type { Loss } from "@context-engine/core/services/Audit"
import type { Connection } from "./connection.js"
import { genesis } from "./record.js"
import { endSession, hashAt, type Standing } from "./standing.js"
import { bind, note, readState } from "./sync/state.js"

/** Where the log ends, whose rows the tables have, and up to where all of it was shared. */
interface Ends {
  readonly head: number
  readonly folded: number
  readonly shared: number
}

const isCut = ({ folded, head, shared }: Ends): boolean => head < shared || head < folded

const wordsOf = ({ folded, head, shared }: Ends): { readonly what: string; readonly next: string } => {
  const goOn = "context infra audit accept goes on with what is there"
  return head < shared
    ? {
        what: `this file lacks events that it shared: it ends at position ${head}, and shared them up to ${shared}`,
        next: `context infra sync now brings them back, or ${goOn}`,
      }
    : {
        what: `this file lacks its last events: it ends at position ${head}, and its tables are those of position ${folded}`,
        next: `context infra restore <backup> has them, or ${goOn}`,
      }
}

/** In a file whose end was cut off, what is written would stand in the place of what others have, or of what was acknowledged. */
export const refuseCut = ({ folded, head, shared }: Pick<Standing, "folded" | "head" | "shared">): void => {
  const ends = { head: head.position, folded, shared: shared.position }
  if (!isCut(ends)) return
  const { next, what } = wordsOf(ends)
  throw new StorageError({ reason: "corrupt", message: `${what}. Nothing was written; ${next}` })
}

const endsOf = (connection: Connection): Ends => {
  const [head, folded, shared] = connection
    .prepare(
      `SELECT (SELECT coalesce(max(position), 0) FROM events), (SELECT position FROM checkpoint),
       (SELECT position FROM sync WHERE log_id IS NOT NULL)`,
    )
    .get() as [number, number, number | null]
  return { head, folded, shared: shared ?? 0 }
}

/** What the file lacks by its own account; `null` if nothing. */
export const lossByCut = (path: string, connection: Connection): Loss | null => {
  const ends = endsOf(connection)
  if (!isCut(ends)) return null
  const { next, what } = wordsOf(ends)
  return { message: `${path}: ${what}`, position: Math.max(ends.folded, ends.shared), since: null, next }
}

/** Whether the tables are ahead of the log. */
export const isAhead = (connection: Connection): boolean => {
  const { folded, head } = endsOf(connection)
  return folded > head
}

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
  connection.prepare("UPDATE checkpoint SET position = ?").run(endsOf(connection).head)
}
