/** The events of a type that can be read: they count, and their shape is one that this version knows. */
import type { Definition } from "@context-engine/core/Event"
import type { Connection } from "../connection.js"
import { decode, type StoredRow, stored } from "../record.js"

/**
 * What all events of a type on streams of a kind say, in their order. Whoever may append can use any type with anything in it: what
 * counts for nothing says nothing, and of what only a newer version knows nothing is read.
 */
export const readData = <A>(
  connection: Connection,
  { schema, type }: Pick<Definition<string, A>, "data" | "schema" | "type">,
  streams: string,
): ReadonlyArray<A> =>
  (
    connection
      .prepare(
        `SELECT ${stored} FROM events WHERE type = ? AND schema <= ? AND stream GLOB ? AND position NOT IN (SELECT position FROM inert)
         ORDER BY position`,
      )
      .all(type, schema, streams) as ReadonlyArray<StoredRow>
  ).map((row) => decode(row).data as A)
