/**
 * The roots that this machine's person goes by, remembered outside the file of the log: where that is lost, their word is not. Each is
 * named by its event and the key that signed it, so that nothing else can be taken for it.
 */
import type { Connection } from "../connection.js"
import { isTurnedDown } from "../trust/turnedDown.js"

export interface KeptRoot {
  readonly eventId: string
  readonly publicKey: string
}

/** More than these no person has accepted; the newest are kept. */
const most = 20

/**
 * The roots of a log that were accepted here, and count; in the order of the log. Type and stream stand here as they are stored: what
 * defines them would cost every command its start.
 */
export const readKept = (connection: Connection): ReadonlyArray<KeptRoot> =>
  connection
    .prepare(
      `SELECT events.id, events.data ->> 'publicKey' FROM roots JOIN events ON events.id = roots.event_id
       WHERE accepted_at IS NOT NULL AND stream = 'machine-all' AND type = 'RootEstablished'
       AND events.position NOT IN (SELECT position FROM inert) ORDER BY events.position`,
    )
    .all()
    .map(([eventId, publicKey]) => ({ eventId, publicKey: String(publicKey) }))

/** The same with those that were remembered, unless a person has gone back from one in this very file. */
export const keptWith = (connection: Connection, before: ReadonlyArray<KeptRoot>): ReadonlyArray<KeptRoot> =>
  [...missingIn(connection, before), ...readKept(connection)].slice(-most)

/** Those of which the file knows nothing yet: neither that they were accepted, nor that a person went back from them. */
export const missingIn = (connection: Connection, kept: ReadonlyArray<KeptRoot>): ReadonlyArray<KeptRoot> => {
  const now = new Set(readKept(connection).map(({ eventId }) => eventId))
  return kept.filter(({ eventId }) => !now.has(eventId) && !isTurnedDown(connection, eventId))
}

/** Whether what was read is such a list; a file of an older version has none. */
export const areKept = (value: unknown): boolean =>
  value === undefined ||
  (Array.isArray(value) && value.every((one) => typeof one?.eventId === "string" && typeof one.publicKey === "string"))
