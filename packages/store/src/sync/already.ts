/**
 * What the shared log has already of units that are to be put back. An id alone is not the event: whoever may append can use any.
 * So what bears it is held against what was written, word for word.
 */
import { idOf } from "@context-engine/core/Aggregate"
import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { CommandRejected, type Original, RejectionSettled, rejection } from "@context-engine/core/domain/Rejection"
import type { Recorded } from "@context-engine/core/Event"
import type { Verdict } from "@context-engine/core/services/sync/redecide"
import type { Connection } from "../connection.js"
import { columns, type EventRow, type StoredRow, stored } from "../record.js"
import { claimedKey } from "../trust/chain.js"
import { draftOf } from "./reseal.js"

/** A stored event with its row, so that what was signed stays byte for byte. */
export type Placed = Recorded & { readonly row: EventRow }

type Unit = ReadonlyArray<Placed>

/** Which ids the log has already: with what was written under them, or with something else. */
export const thereAlready = (connection: Connection, events: Unit): ReadonlyMap<string, "same" | "other"> => {
  const ours = new Map(events.map((event) => [event.id, event.row]))
  const found = connection
    .prepare(`SELECT ${stored} FROM events WHERE id IN (SELECT value FROM json_each(?))`)
    .all(JSON.stringify([...ours.keys()])) as ReadonlyArray<StoredRow>
  return new Map(
    found.map((row) => {
      const there = row as unknown as EventRow
      const own = ours.get(row[1]) as EventRow
      const same = (row[14] === null && isSame(there, own)) || isIssuedAnew(connection, own)
      return [row[1], same ? "same" : "other"]
    }),
  )
}

/** Whether its own machine, whose id for it somebody took, has written it under another. */
const isIssuedAnew = (connection: Connection, own: EventRow): boolean =>
  connection
    .prepare(
      `SELECT ${columns} FROM events WHERE stream = ? AND type = ? AND occurred_at = ? AND id <> ?
       AND position NOT IN (SELECT position FROM inert)`,
    )
    .all(own[2], own[4], own[8], own[1])
    .some((there) => isSame(there as unknown as EventRow, own))

/** Stream, type, shape, data and time; its place in a chain may be another, but not the machine that says it. */
const isSame = (there: EventRow, own: EventRow): boolean => {
  const key = claimedKey(own)
  if (key !== undefined && claimedKey(there) !== key) return false
  return [2, 4, 5, 6, 8].every((at) => there[at] === own[at]) && metaOf(there) === metaOf(own)
}

/** Who did it, on behalf of which command. */
const metaOf = (row: EventRow): string => canonicalJson(draftOf(row).meta)

/**
 * What the log says was refused, of units: whether one is, whether its own machine says so, whether somebody gave it again since, and
 * where another refusal can be kept.
 */
export interface Refusals {
  readonly has: (unit: Unit) => boolean
  readonly byItself: (unit: Unit) => boolean
  readonly again: (unit: Unit) => boolean
  readonly streamOf: (unit: Unit, fresh: () => string) => string
}

/** Only what carries the whole unit as it was written says that it is refused. */
export const refusalsOf = (connection: Connection, events: Unit): Refusals => {
  const streams = new Set(events.map(({ id }) => streamFor(id)))
  const known = connection
    .prepare(
      `SELECT ${columns} FROM events WHERE stream IN (SELECT value FROM json_each(?)) AND type = ?
       AND position NOT IN (SELECT position FROM inert)`,
    )
    .all(JSON.stringify([...streams]), CommandRejected.type) as ReadonlyArray<EventRow>
  const taken = new Set(known.map((row) => row[2]))
  const all = [...known, ...elsewhere(connection, taken)].map((row) => ({ row, events: carried(row) }))
  return {
    again: (unit) => all.some(({ events, row }) => isUnit(events, unit) && isGivenAgain(connection, row[2], events)),
    has: (unit) => all.some(({ events }) => isUnit(events, unit)),
    byItself: (unit) =>
      all.some(({ events, row }) => isUnit(events, unit) && claimedKey(row) === claimedKey((unit[0] as Placed).row)),
    streamOf: ([first], fresh) => {
      const stream = streamFor(first?.id ?? "")
      return taken.has(stream) ? streamFor(fresh()) : stream
    },
  }
}

const streamFor = (id: string): string => `${rejection.name}-${id}`

/** Where somebody took the stream of a refusal, that one is kept under another: they are few, and only then looked for. */
const elsewhere = (connection: Connection, taken: ReadonlySet<string>): ReadonlyArray<EventRow> =>
  taken.size === 0
    ? []
    : connection
        .prepare(
          `SELECT ${columns} FROM events WHERE type = ? AND 'rejection-' || iif(json_valid(data), json_extract(data, '$.events[0].id'), NULL) IN (SELECT value FROM json_each(?))
           AND stream NOT IN (SELECT value FROM json_each(?2)) AND position NOT IN (SELECT position FROM inert)`,
        )
        .all(CommandRejected.type, JSON.stringify([...taken]))

/**
 * Whether what a refusal is about stands in the log once more, as the person who gave it again had it written. What says so alone is
 * not enough: it has to be there, word for word, before that.
 */
const isGivenAgain = (connection: Connection, stream: string, events: ReadonlyArray<Original>): boolean => {
  const given = (position: number) =>
    connection
      .prepare(`SELECT ${stored} FROM events WHERE position >= ? AND position < ? ORDER BY position`)
      .all(position - events.length, position) as ReadonlyArray<StoredRow>
  return connection
    .prepare(
      `SELECT position FROM events WHERE stream = ? AND type = ? AND position NOT IN (SELECT position FROM inert)
       AND iif(json_valid(data), data ->> 'how', '') = 'retried'`,
    )
    .all(stream, RejectionSettled.type)
    .some(([position]) => {
      const rows = given(position)
      return rows.length === events.length && rows.every((row, index) => repeats(row, events[index] as Original))
    })
}

const repeats = (row: StoredRow, { data, schema, stream, type }: Original): boolean =>
  row[14] === null && row[2] === stream && row[4] === type && row[5] === schema && row[6] === canonicalJson(data)

/** The streams of those refusals among some events whose commands stand in the log after all: in it they were never refused. */
export const needlessRefusals = (connection: Connection, events: Unit): ReadonlySet<string> => {
  const find = connection.prepare(`SELECT ${stored} FROM events WHERE id = ?`)
  const isThere = (original: Original) => {
    const row = find.get(original.id) as StoredRow | undefined
    return row !== undefined && row[14] === null && isOriginal(original, row as unknown as EventRow)
  }
  const stand = (row: EventRow) => carried(row).length > 0 && carried(row).every(isThere)
  const told = events.filter(({ row, type }) => type === CommandRejected.type && stand(row))
  return new Set(told.map(({ stream }) => stream))
}

const carried = (row: EventRow): ReadonlyArray<Original> => {
  const { events } = JSON.parse(row[6]) as { readonly events?: ReadonlyArray<Original> }
  return Array.isArray(events) ? events : []
}

const isUnit = (events: ReadonlyArray<Original>, unit: Unit): boolean =>
  events.length === unit.length && events.every((event, index) => isOriginal(event, (unit[index] as Placed).row))

const isOriginal = ({ data, id, meta, occurredAt, schema, stream, type }: Original, row: EventRow): boolean => {
  const said = [id, stream, type, schema, canonicalJson(data), occurredAt]
  if ([1, 2, 4, 5, 6, 8].some((at, index) => row[at] !== said[index])) return false
  const whole = row.with(7, JSON.stringify(meta)) as unknown as EventRow
  return isSame(whole, row)
}

/**
 * Asks of units whether they give a command again that somebody has given again, or whose refusal is `needless`: a second time it
 * would undo what came after that.
 */
export const givenAgain = (
  connection: Connection,
  events: Unit,
  needless: ReadonlySet<string>,
): ((unit: Unit) => Verdict | undefined) => {
  const streams = events.filter(({ type }) => type === RejectionSettled.type).map(({ stream }) => stream)
  const found = connection
    .prepare("SELECT id FROM rejections WHERE status = 'retried' AND id IN (SELECT value FROM json_each(?))")
    .all(JSON.stringify(streams.map(idOf)))
  const done = new Set(found.map(([id]) => streamFor(id)))
  return (unit) => {
    if (unit.some(({ stream }) => needless.has(stream))) return { outcome: "moot", reason: "it stands in this log" }
    return unit.some(({ stream }) => done.has(stream))
      ? { outcome: "moot", reason: "it was given again already" }
      : undefined
  }
}
