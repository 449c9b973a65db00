/**
 * A log whose end was cut off in its file, as the file itself shows it. Apart from going on with what is there, for every command looks
 * at this.
 */
import { StorageError } from "@context-engine/core/Errors"
import type { Loss } from "@context-engine/core/services/Audit"
import type { Connection } from "./connection.js"
import type { Standing } from "./standing.js"

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

/** Where the file at the end of a connection stands. */
export const endsOf = (connection: Connection): Ends => {
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
