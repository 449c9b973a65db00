/** What a log is about, so that a person recognises it before two become one: the same questions here and there. */
import type { Side } from "@context-engine/core/services/Sync"
import type { Connection } from "../connection.js"
import type { Rows, Statement } from "./protocol.js"

const most = 20

/** In hex: what anyone may have written there need not be text, and no driver can tell that as such. */
const about =
  "SELECT count(*), hex((SELECT substr(occurred_at, 1, 100) FROM events ORDER BY position LIMIT 1)) FROM events"

/** By events alone: the shared log has no other tables. Their data need not even be JSON. */
const servers = `SELECT hex((SELECT substr(coalesce(data->>'to', data->>'name'), 1, 100) FROM events
  WHERE stream = added.stream AND type IN ('ServerAdded', 'ServerRenamed') AND json_valid(data)
  ORDER BY position DESC LIMIT 1))
FROM events added WHERE type = 'ServerAdded'
  AND NOT EXISTS (SELECT 1 FROM events WHERE stream = added.stream AND type = 'ServerRemoved')
ORDER BY position LIMIT ${most}`

export const portraitStatements: ReadonlyArray<Statement> = [
  { sql: about, args: [] },
  { sql: servers, args: [] },
]

/** Reads the answers; what is of another kind than it should be is left out, for nothing depends on it. */
export const readPortrait = ([about = [], names = []]: ReadonlyArray<Rows>): Side => {
  const [events, since] = about[0] ?? []
  return {
    events: Number.isSafeInteger(events) ? (events as number) : 0,
    since: textOf(since),
    // Events that count for nothing are among them: one name may be added twice.
    servers: [...new Set(names.slice(0, most).flatMap(([name]) => textOf(name) ?? []))],
  }
}

const textOf = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? Buffer.from(value, "hex").toString("utf8").slice(0, 100) : null

/** The log of this machine. */
export const portraitOf = (connection: Connection): Side =>
  readPortrait(portraitStatements.map(({ args, sql }) => connection.prepare(sql).all(...args)))
