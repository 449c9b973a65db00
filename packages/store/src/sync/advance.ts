/** One step forward: what an exchange brought is taken over, in one transaction of this machine's log. */
import { definitions } from "@context-engine/core/domain/Events"
import type { Rejected } from "@context-engine/core/services/Sync"
import { projections } from "@context-engine/core/views/all"
import { insertRows, readHead } from "../append.js"
import type { Connection } from "../connection.js"
import { columns, decode, type EventRow, hashOf } from "../record.js"
import { writeRows } from "../rows.js"
import type { Author } from "./author.js"
import type { Answer, Place } from "./protocol.js"
import { rebase } from "./rebase.js"
import { countRebase, forgetRows, readState, setConfirmed, setUnknown } from "./state.js"
import { unguarded } from "./triggers.js"

export interface Advanced {
  readonly pushed: number
  readonly pulled: number
  readonly moved: number
  readonly rejected: ReadonlyArray<Rejected>
}

/** The chain does not hold: what was sent is not what was written. */
export class BrokenChain {
  constructor(readonly position: number) {}
}

const nothing: Advanced = { pushed: 0, pulled: 0, moved: 0, rejected: [] }

/**
 * Takes over what the shared log has after `from`: events of ours that it took, then events of others. Throws `BrokenChain`.
 * Where the confirmed place is not `from` any more, nothing is done.
 */
export const advance = (
  connection: Connection,
  from: Place,
  answer: Pick<Answer, "taken" | "rows">,
  author: Author,
): Advanced => {
  if (readState(connection).confirmed.hash !== from.hash) return nothing
  // Others' events put all of the tail after them; else only what was pushed is of interest, and what comes next.
  const tail = readTail(connection, from.position, answer.rows.length > 0 ? -1 : answer.taken.length + 1)
  const times = new Map(answer.taken)
  const echoed = answer.rows.slice(0, sharedLength(tail.slice(times.size), answer.rows))
  for (const row of echoed) times.set(row[0], row[9])
  const incoming = answer.rows.slice(echoed.length)
  const ours = tail.slice(0, times.size)
  const base = placeOf(ours[ours.length - 1]) ?? from
  follow(base, incoming)
  keepTimes(connection, ours, times, tail[ours.length])
  const moved = takeIn(connection, base, tail.slice(ours.length), incoming, author)
  setConfirmed(connection, placeOf(incoming[incoming.length - 1]) ?? base)
  if (ours.length > 0 && ours.length === tail.length) forgetRows(connection)
  if (incoming.length > 0) {
    noteUnknown(connection, incoming)
    connection.prepare("UPDATE checkpoint SET position = ?").run(readHead(connection).position)
  }
  return { pushed: ours.length, pulled: incoming.length, ...moved }
}

/** What follows a place here, which is all that is not confirmed yet. */
export const readTail = (connection: Connection, after: number, limit = -1): ReadonlyArray<EventRow> =>
  connection
    .prepare(`SELECT ${columns} FROM events WHERE position > ? ORDER BY position LIMIT ?`)
    .all(after, limit) as any

const placeOf = (row: EventRow | undefined): Place | undefined => row && { position: row[0], hash: row[10] }

/** How many of the first rows are the same on both sides: the shared log took them, and its answer was lost. */
const sharedLength = (tail: ReadonlyArray<EventRow>, rows: ReadonlyArray<EventRow>): number => {
  const differs = rows.findIndex((row, index) => row[10] !== tail[index]?.[10])
  return differs === -1 ? rows.length : differs
}

/** Holds the chain against what came over the network. */
const follow = (base: Place, rows: ReadonlyArray<EventRow>): void => {
  let { hash, position } = base
  for (const row of rows) {
    position += 1
    if (row[0] !== position || hashOf(hash, row) !== row[10]) throw new BrokenChain(position)
    hash = row[10]
  }
}

/** A longer tail is pushed by many pages: it gets these times only before the last of them, not before each. */
const lifted = 2_000

/** The shared log's clock counts for what is in it. What waits here is not recorded before what is there already. */
const keepTimes = (
  connection: Connection,
  ours: ReadonlyArray<EventRow>,
  times: ReadonlyMap<number, string>,
  next: EventRow | undefined,
): void => {
  const changed = ours.filter((row) => times.get(row[0]) !== row[9])
  const last = times.get(ours[ours.length - 1]?.[0] ?? 0) ?? ""
  if (changed.length === 0 && (next === undefined || next[9] >= last)) return
  unguarded(connection, () => {
    const set = connection.prepare("UPDATE events SET recorded_at = ? WHERE position = ?")
    for (const [position] of changed) set.run(times.get(position), position)
    if (next === undefined || readHead(connection).position - next[0] > lifted) return
    connection
      .prepare("UPDATE events SET recorded_at = ?1 WHERE position >= ?2 AND recorded_at < ?1")
      .run(last, next[0])
  })
}

const takeIn = (
  connection: Connection,
  base: Place,
  tail: ReadonlyArray<EventRow>,
  incoming: ReadonlyArray<EventRow>,
  author: Author,
) => {
  if (incoming.length === 0) return { moved: 0, rejected: [] }
  if (tail.length > 0) {
    countRebase(connection)
    return rebase(connection, base, tail, incoming, author)
  }
  insertRows(connection, incoming)
  writeRows(connection, projections, incoming.map(decode))
  return { moved: 0, rejected: [] }
}

/** Types and shapes that only a newer version knows are remembered until this one does: nothing is pushed over them. */
const noteUnknown = (connection: Connection, incoming: ReadonlyArray<EventRow>): void => {
  const before = readState(connection).unknown
  const found = incoming.filter((row) => !isKnown(row[4], row[5])).map((row) => `${row[4]}@${row[5]}`)
  const all = [...new Set([...before, ...found])]
  if (all.length > before.length) setUnknown(connection, all)
}

/** Whether this version knows a type of event in that shape. */
export const isKnown = (type: string, schema: number): boolean => (definitions.get(type)?.schema ?? 0) >= schema
