/** Whether a log is still the one that this machine has seen, or what came of that in the ways that are known. */
import type { Loss } from "@context-engine/core/services/Audit"
import type { Connection } from "../connection.js"
import type { Mark, Remembered } from "./file.js"

/** What the log at `path` lacks of what was seen of it; `null` if nothing. Without a connection there is no file. */
export const judge = (path: string, remembered: Remembered, connection: Connection | undefined): Loss | null => {
  const { at, head } = remembered
  // A person goes on with what is there, whatever that is.
  if (head === null) return null
  const now = connection && readMark(connection, "ORDER BY position DESC LIMIT 1")
  if (connection !== undefined && now !== undefined && holds(connection, { ...remembered, head })) return null
  const seen = `this machine has seen it end at position ${head.position}, on ${at.slice(0, 16).replace("T", " ")} UTC`
  return {
    message: `${path}: ${what(connection, now, { ...remembered, head })}; ${seen}`,
    since: at,
    position: head.position,
    next: next(connection, now, remembered),
  }
}

/** What was seen of a log that was there. */
type Seen = Remembered & { readonly head: Mark }

/**
 * The chain up to an event is in its hash, so the newest that was seen tells for all before it. Only where the log's end was
 * put after others' events since then may it have another place, or have been refused.
 */
const holds = (connection: Connection, { confirmed, head, rebases }: Seen): boolean => {
  if (readMark(connection, "WHERE id = ?", head.id)?.hash === head.hash) return true
  const [now] = connection.prepare("SELECT rebases FROM sync").get() as [number]
  if (now <= rebases) return false
  return isThere(connection, head) && (confirmed === null || isThere(connection, confirmed))
}

const isThere = (connection: Connection, { id }: Mark): boolean =>
  readMark(connection, "WHERE id = ?", id) !== undefined || isRefused(connection, id)

/** Whether it is part of a command that could not stand: all of that is kept in the event that says so. */
const isRefused = (connection: Connection, id: string): boolean =>
  connection.prepare("SELECT 1 FROM rejections WHERE instr(events, ?) > 0 LIMIT 1").get(JSON.stringify(id)) !==
  undefined

const what = (connection: Connection | undefined, now: Mark | undefined, { first, head }: Seen): string => {
  if (connection === undefined) return "there is no log any more"
  if (now === undefined)
    return "the log has no events: the file was deleted or replaced, or the -wal file that belongs to it was lost"
  if (readMark(connection, "WHERE position = 1")?.hash !== first) return "this is another log than was here before"
  return now.position < head.position
    ? `the log ends at position ${now.position}: its end was cut off, or an older copy was put in its place`
    : "the log has another history than before: an older copy went on, or its events were written anew"
}

/** What was written here since belongs to another log: with that one it is joined. */
const isAnother = (connection: Connection, { first, logId }: Remembered): boolean =>
  readMark(connection, "WHERE position = 1")?.hash !== first &&
  connection.prepare("SELECT log_id FROM sync").get()?.[0] !== logId

const next = (connection: Connection | undefined, now: Mark | undefined, remembered: Remembered): string => {
  const joins = connection !== undefined && now !== undefined && isAnother(connection, remembered)
  return [
    "context infra restore <backup>",
    ...(remembered.logId === null ? [] : [`context infra sync ${joins ? "join" : "now"} for what was shared`]),
    "context infra audit accept to go on with what is there",
  ].join(", or ")
}

/** One event of the log, by the end of a query. */
export const readMark = (
  connection: Connection,
  where: string,
  ...params: ReadonlyArray<unknown>
): Mark | undefined => {
  const row = connection.prepare(`SELECT position, hash, id FROM events ${where}`).get(...params)
  return row === undefined ? undefined : { position: row[0], hash: row[1], id: row[2] }
}
