/** Whether a log is still the one that this machine has seen, or what came of that in the ways that are known. */
import type { Loss } from "@context-engine/core/services/Audit"
import type { Connection } from "../connection.js"
import { isAhead } from "../cut.js"
import type { Mark, Remembered, Seen } from "./file.js"

/** What the log at `path` lacks of what was seen of it; `null` if nothing. Without a connection there is no file. */
export const judge = (path: string, remembered: Remembered, connection: Connection | undefined): Loss | null => {
  const [first, ...more] = lossesOf(remembered, connection).map((seen) => lossOf(path, seen, connection))
  if (first === undefined) return null
  return {
    ...first,
    // Ends that have one position, of histories that took each other's place, may be told in the same words.
    message: [...new Set([first, ...more].map(({ message }) => message))].join("; before that: "),
    position: Math.max(...[first, ...more].map(({ position }) => position)),
  }
}

/** All that was seen of the log and is not in it, the last first: a person goes on with what is there, whatever that is. */
export const lossesOf = (remembered: Remembered, connection: Connection | undefined): ReadonlyArray<Seen> => {
  const now = connection && readMark(connection, "ORDER BY position DESC LIMIT 1")
  const isMissing = (one: Seen) => connection === undefined || now === undefined || !holds(connection, one)
  return [...(remembered.head === null ? [] : [seenOf(remembered, remembered.head)]), ...remembered.lost].filter(
    isMissing,
  )
}

const seenOf = ({ at, confirmed, first, logId, rebases }: Remembered, head: Mark): Seen => {
  return { first, logId, rebases, confirmed, head, at }
}

const lossOf = (path: string, seen: Seen, connection: Connection | undefined): Loss => {
  const { at, head } = seen
  const now = connection && readMark(connection, "ORDER BY position DESC LIMIT 1")
  const told = `this machine has seen it end at position ${head.position}, on ${at.slice(0, 16).replace("T", " ")} UTC`
  return {
    message: `${path}: ${what(connection, now, seen)}; ${told}`,
    since: at,
    position: head.position,
    next: next(connection, now, seen),
  }
}

/**
 * The chain up to an event is in its hash, so the newest that was seen tells for all before it. Only where it was put after others'
 * events since then may it have another place, or have been refused: by this machine, or in the shared log, as its writer signed it.
 */
const holds = (connection: Connection, { confirmed, head, logId, rebases }: Seen): boolean => {
  if (readMark(connection, "WHERE id = ?", head.id)?.hash === head.hash) return true
  const now = standing(connection)
  const [found, isMoved] = now.rebases > rebases ? [isThere, true] : [isShared, logId !== null && logId === now.logId]
  return isMoved && found(connection, head) && (confirmed === null || found(connection, confirmed))
}

const standing = (connection: Connection): { readonly rebases: number; readonly logId: string | null } => {
  const [rebases, logId] = connection.prepare("SELECT rebases, log_id FROM sync").get()
  return { rebases, logId }
}

const isThere = (connection: Connection, { id }: Mark): boolean =>
  readMark(connection, "WHERE id = ?", id) !== undefined || isRefused(connection, id)

const isShared = (connection: Connection, { id }: Mark): boolean =>
  isRefused(connection, id) ||
  readMark(
    connection,
    `WHERE id = ? AND position <= (SELECT position FROM sync) AND signature IS NOT NULL AND digest IS NOT NULL
     AND position NOT IN (SELECT position FROM inert)`,
    id,
  ) !== undefined

/** How many events are gone that this machine alone had: all that was shared is there, in the same log. 0 where that is not known. */
const lostAlone = (connection: Connection, { confirmed, head, logId }: Seen): number => {
  if (confirmed === null || logId !== standing(connection).logId || !isThere(connection, confirmed)) return 0
  // Where the end of this very file was cut off, what precedes that is what it was.
  const there = isAhead(connection) ? (readMark(connection, "ORDER BY position DESC LIMIT 1")?.position ?? 0) : 0
  return head.position - Math.max(confirmed.position, there)
}

/** Whether it is part of a command that could not stand: all of that is kept in the event that says so. */
const isRefused = (connection: Connection, id: string): boolean =>
  connection.prepare("SELECT 1 FROM rejections WHERE instr(events, ?) > 0 LIMIT 1").get(JSON.stringify(id)) !==
  undefined

const what = (connection: Connection | undefined, now: Mark | undefined, seen: Seen): string => {
  const { first, head } = seen
  if (connection === undefined) return "there is no log any more"
  if (now === undefined)
    return "the log has no events: the file was deleted or replaced, or the -wal file that belongs to it was lost"
  if (readMark(connection, "WHERE position = 1")?.hash !== first) return "this is another log than was here before"
  const lost = lostAlone(connection, seen)
  if (lost > 0)
    return `${lastOf(lost, isAhead(connection))} not in it: the file was lost, its end was cut off, or an older copy was put in its place`
  return now.position < head.position
    ? `the log ends at position ${now.position}: its end was cut off, or an older copy was put in its place`
    : "the log has another history than before: an older copy went on, or its events were written anew"
}

/** How many are gone is known of a cut end alone: of an older copy, some of what waited then may be there. */
const lastOf = (lost: number, isKnown: boolean): string => {
  if (lost === 1) return "the last event of this machine, which it had not shared, is"
  return isKnown
    ? `the last ${lost} events of this machine, which it had not shared, are`
    : `of the last ${lost} events of this machine, which it had not shared, one or more are`
}

/** What was written here since belongs to another log: with that one it is joined. */
const isAnother = (connection: Connection, { first, logId }: Seen): boolean =>
  readMark(connection, "WHERE position = 1")?.hash !== first &&
  connection.prepare("SELECT log_id FROM sync").get()?.[0] !== logId

const next = (connection: Connection | undefined, now: Mark | undefined, remembered: Seen): string => {
  const joins = connection !== undefined && now !== undefined && isAnother(connection, remembered)
  const isAlone = connection !== undefined && now !== undefined && lostAlone(connection, remembered) > 0
  return [
    "context infra restore <backup>",
    ...(remembered.logId === null || isAlone
      ? []
      : [`context infra sync ${joins ? "join" : "now"} for what was shared`]),
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
