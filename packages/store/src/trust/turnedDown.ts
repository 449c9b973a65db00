/** What a person on this machine does not go by any more. Apart from the rest of the rule, for every command reads it. */
import type { Connection } from "../connection.js"

/** Whether a person on this machine has gone back from a root. */
export const isTurnedDown = (connection: Connection, eventId: string): boolean =>
  connection
    .prepare("SELECT 1 FROM roots WHERE event_id = ? AND accepted_at IS NULL AND public_key IS NULL")
    .get(eventId) !== undefined
