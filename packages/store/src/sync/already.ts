/**
 * What the shared log has already of units that are to be put back. An id alone is not the event: whoever may append can use any.
 * So what bears it is held against what was written, word for word.
 */
import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { machinesStream } from "@context-engine/core/domain/Machine"
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
  readonly streamOf: (first: Placed, fresh: () => string) => string
}

/** A refusal that counts, and what it is about. */
interface Refusal {
  readonly row: EventRow
  readonly events: ReadonlyArray<Original>
}

/** Only what carries all of a unit as it was written, in one refusal or in several, says that it is refused. */
export const refusalsOf = (connection: Connection, events: Unit): Refusals => {
  const streams = new Set(events.map(({ id }) => streamFor(id)))
  const known = readRefusals(connection, "stream IN (SELECT value FROM json_each(?2))", JSON.stringify([...streams]))
  const taken = new Set(known.map(({ row }) => row[2]))
  const carried = new Map<string, Array<{ readonly original: Original; readonly refusal: Refusal }>>()
  for (const refusal of [...known, ...elsewhere(connection, taken)])
    for (const original of refusal.events)
      carried.set(original.id, [...(carried.get(original.id) ?? []), { original, refusal }])
  const areIn = (unit: Unit, which: (refusal: Refusal) => boolean) =>
    unit.every(({ id, row }) =>
      carried.get(id)?.some(({ original, refusal }) => which(refusal) && isOriginal(original, row)),
    )
  const isAgain = memoized((refusal: Refusal) => isGivenAgain(connection, refusal))
  return {
    has: (unit) => areIn(unit, () => true),
    byItself: (unit) => areIn(unit, ({ row }) => claimedKey(row) === claimedKey((unit[0] as Placed).row)),
    // Who may write nobody gives again by a refusal: it is decided anew.
    again: (unit) => unit.every(({ stream }) => stream !== machinesStream) && areIn(unit, isAgain),
    streamOf: ({ id }, fresh) => (taken.has(streamFor(id)) ? streamFor(fresh()) : streamFor(id)),
  }
}

const memoized = <A, B>(ask: (about: A) => B): ((about: A) => B) => {
  const known = new Map<A, B>()
  return (about) => {
    if (!known.has(about)) known.set(about, ask(about))
    return known.get(about) as B
  }
}

const streamFor = (id: string): string => `${rejection.name}-${id}`

/** Refusals that count and whose shape is known: what else bears their type says nothing. */
const readRefusals = (
  connection: Connection,
  where: string,
  ...params: ReadonlyArray<unknown>
): ReadonlyArray<Refusal> =>
  (
    connection
      .prepare(
        `SELECT ${columns} FROM events WHERE type = '${CommandRejected.type}' AND schema <= ?1 AND stream GLOB '${streamFor("*")}'
         AND position NOT IN (SELECT position FROM inert) AND ${where}`,
      )
      .all(CommandRejected.schema, ...params) as ReadonlyArray<EventRow>
  ).map((row) => ({ row, events: carriedBy(row) }))

/** Where somebody took the stream of a refusal, that one is kept under another: they are few, and only then looked for. */
const elsewhere = (connection: Connection, taken: ReadonlySet<string>): ReadonlyArray<Refusal> =>
  taken.size === 0
    ? []
    : readRefusals(connection, "stream NOT IN (SELECT value FROM json_each(?2))", JSON.stringify([...taken])).filter(
        ({ events }) => taken.has(streamFor(events[0]?.id ?? "")),
      )

const carriedBy = (row: EventRow): ReadonlyArray<Original> =>
  (JSON.parse(row[6]) as { readonly events: ReadonlyArray<Original> }).events

/**
 * Whether what a refusal is about stands in the log once more, as the person who gave it again had it written. What says so alone is
 * not enough: it has to be there, word for word, after the refusal and in the very unit that says so.
 */
const isGivenAgain = (connection: Connection, { events, row: [position, , stream] }: Refusal): boolean =>
  stands(
    connection,
    { stream, after: position },
    events.map((event) => ({ ...event, data: canonicalJson(event.data) })),
  )

/** An event as it was wanted, with its data as it is stored. */
type Wanted = Pick<Original, "stream" | "type" | "schema"> & { readonly data: string }

/** Whether events stand together before a person's word, on a stream and after a place, that they were given again. */
const stands = (
  connection: Connection,
  { after, stream }: { readonly after: number; readonly stream: string },
  wanted: ReadonlyArray<Wanted>,
): boolean =>
  settledOn(connection, stream, after).some((settled) => {
    const rows = connection
      .prepare(`SELECT ${stored} FROM events WHERE position >= ? AND position < ? AND position > ? ORDER BY position`)
      .all(settled[0] - wanted.length, settled[0], after) as ReadonlyArray<StoredRow>
    const isOne = (row: StoredRow) => row[11] === settled[11] && claimedCommand(row) === claimedCommand(settled)
    return rows.length === wanted.length && rows.every((row, at) => isOne(row) && repeats(row, wanted[at] as Wanted))
  })

/** Where a person's word that a refusal was given again stands after it. */
const settledOn = (connection: Connection, stream: string, after: number): ReadonlyArray<StoredRow> =>
  (
    connection
      .prepare(
        `SELECT ${stored} FROM events WHERE stream = ? AND type = '${RejectionSettled.type}' AND schema <= ${RejectionSettled.schema}
       AND position > ? AND position NOT IN (SELECT position FROM inert)`,
      )
      .all(stream, after) as ReadonlyArray<StoredRow>
  ).filter((row) => JSON.parse(row[6]).how === "retried")

/** What was appended together has one command, and, where it is signed, one signature. */
const claimedCommand = (row: StoredRow): unknown => (row[14] === null ? JSON.parse(row[7]).commandId : undefined)

const repeats = (row: StoredRow, { data, schema, stream, type }: Wanted): boolean =>
  row[14] === null && row[2] === stream && row[4] === type && row[5] === schema && row[6] === data

/** Which events of some only tell of, or let go, the refusal of what stands in the log after all: in it that was never refused. */
export const needlessRefusals = (connection: Connection, events: Unit): ReadonlySet<string> => {
  const find = connection.prepare(`SELECT ${stored} FROM events WHERE id = ?`)
  const isThere = (original: Original) => {
    const row = find.get(original.id) as StoredRow | undefined
    return row !== undefined && row[14] === null && isOriginal(original, row as unknown as EventRow)
  }
  const isRefusal = ({ schema, stream, type }: Placed) =>
    type === CommandRejected.type && schema <= CommandRejected.schema && stream.startsWith(streamFor(""))
  const told = events.filter(isRefusal)
  const isNeedless = ({ row }: Placed) => carriedBy(row).length > 0 && carriedBy(row).every(isThere)
  const needless = new Set(told.filter(isNeedless).map(({ id }) => id))
  // What settles a stream is about the first refusal on it.
  const first = new Map(told.toReversed().map(({ id, stream }) => [stream, id]))
  const settle = events.filter(
    ({ stream, type }) => type === RejectionSettled.type && needless.has(first.get(stream) ?? ""),
  )
  return new Set([...needless, ...settle.map(({ id }) => id)])
}

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
export const givenAgain =
  (connection: Connection, needless: ReadonlySet<string>): ((unit: Unit) => Verdict | undefined) =>
  (unit) => {
    if (unit.some(({ id }) => needless.has(id))) return { outcome: "moot", reason: "it stands in this log" }
    const wanted = unit
      .filter(({ type }) => type !== RejectionSettled.type)
      .map(({ row }) => ({ stream: row[2], type: row[4], schema: row[5], data: row[6] }))
    const isThere = ({ stream, type }: Placed) =>
      type === RejectionSettled.type && stands(connection, { stream, after: 0 }, wanted)
    return wanted.length > 0 && unit.some(isThere)
      ? { outcome: "moot", reason: "it was given again already" }
      : undefined
  }
