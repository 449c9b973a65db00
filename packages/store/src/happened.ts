/** When the events of a file happened (core's `effectiveTime`), as SQL as far as no clock went back. */
import {
  type Cut,
  cutOf,
  effectiveTimes,
  type Happened,
  isApart,
  type Stated,
  upTo,
  wholeUntil as wholeUnits,
} from "@context-engine/core/effectiveTime"
import type { WrongClock } from "@context-engine/core/services/Sync"
import type { Connection } from "./connection.js"
import { clashes, notYet } from "./record.js"
import { readNames } from "./trust/names.js"

/** Events that count for something. */
const counting = "position NOT IN (SELECT position FROM inert)"

const unit = "coalesce(signature, meta ->> 'commandId')"

/** Of whom it is known what they had, and how far. */
const writer = "coalesce(meta ->> 'key' || ' ' || (meta ->> 'session'), meta ->> 'machine'), meta ->> 'seen', id, type"

/** The events of a file that had happened at an instant. `now` is the reader's time. */
export const cutAt = (connection: Connection, instant: string, now: string): Cut => {
  const { recorded, steps } = readClocks(connection)
  if (!steps) return quickCut(connection, instant, wholeUntil(connection, lastRecorded(connection, recorded, instant)))
  const { events, happened } = readHappened(connection, recorded, now)
  return cutOf(events.map(({ position }) => ({ position, late: (happened.get(position)?.at ?? "") > instant })))
}

/** The end of the last unit that is whole at a position. In a file of a replay one that is left out is a unit all the same. */
export const wholeUntil = (connection: Connection, position: number): number => {
  const found = connection.prepare(`SELECT ${unit} FROM events WHERE position = ?1
    AND NOT EXISTS (SELECT 1 FROM inert WHERE position = ?1 AND reason NOT IN ('${clashes}', '${notYet}'))`)
  return wholeUnits(position, (at) => found.get(at)?.[0] ?? undefined)
}

interface Clocks {
  /** Up to here events were recorded by the shared log's clock. */
  readonly recorded: number
  /** Whether a clock may have gone back anywhere. */
  readonly steps: boolean
}

const readClocks = (connection: Connection): Clocks => {
  const [recorded, steps] = connection.prepare("SELECT recorded, EXISTS (SELECT 1 FROM clock_steps) FROM sync").get()
  return { recorded, steps: steps === 1 }
}

/** The last event that the shared log had recorded at an instant: its clock never goes back, so it is found by halving. */
const lastRecorded = (connection: Connection, recorded: number, instant: string): number => {
  const at = connection.prepare("SELECT recorded_at FROM events WHERE position = ?")
  let [known, after] = [0, recorded + 1]
  while (after - known > 1) {
    const middle = (known + after) >> 1
    if ((at.get(middle)?.[0] ?? "") <= instant) known = middle
    else after = middle
  }
  return known
}

/** Where no clock went back, an event has happened when it says so, unless one before it in its stream, or of its unit, had not. */
const quickCut = (connection: Connection, instant: string, from: number): Cut => {
  const one = (sql: string, ...params: ReadonlyArray<unknown>): number | undefined =>
    connection.prepare(sql).get(...params)?.[0]
  const until = one(
    `SELECT position FROM events WHERE position > ? AND occurred_at <= ? AND ${counting} ORDER BY position DESC LIMIT 1`,
    from,
    instant,
  )
  if (until === undefined) return upTo(from)
  const late = one(
    `SELECT position FROM events WHERE position > ? AND position < ? AND occurred_at > ? AND ${counting} ORDER BY position LIMIT 1`,
    from,
    until,
    instant,
  )
  if (late === undefined) return upTo(until)
  const rows = connection
    .prepare(
      `SELECT position, stream, ${unit}, occurred_at > ?, ${writer} FROM events
       WHERE position > ? AND position <= ? AND ${counting} ORDER BY position`,
    )
    .all(instant, from, until) as ReadonlyArray<Row>
  const cut = cutOf(withFollowing(rows))
  return cut.until === 0 ? upTo(from) : cut
}

type Row = readonly [number, string, string, number, ...Writer]
type Writer = readonly [session: string, seen: number | null, id: string, type: string]

/** Who wrote an event, and how far they had the log, as `effectiveTime` has it. */
const writerOf = (stream: string, [session, seen, id, type]: Writer) =>
  isApart({ stream, type }) ? { session: id, seen: undefined } : { session, seen: seen ?? undefined }

/** What had not happened, with what follows it in its stream or was appended with it. */
function* withFollowing(rows: ReadonlyArray<Row>) {
  const streams = new Map<string, { readonly first: number; readonly sessions: Set<string> }>()
  for (let at = 0; at < rows.length; ) {
    const first = rows[at] as Row
    let end = at
    while (end < rows.length && rows[end]?.[2] === first[2]) end += 1
    const members = rows.slice(at, end)
    const { session } = writerOf(first[1], first.slice(4) as unknown as Writer)
    const follows = ([, stream, , , ...writer]: Row): boolean => {
      const late = streams.get(stream)
      const { seen = Number.POSITIVE_INFINITY } = writerOf(stream, writer)
      return late !== undefined && (late.first <= seen || late.sessions.has(session))
    }
    const late = members.some((row) => row[3] === 1 || follows(row))
    for (const [position, stream] of members) {
      if (late) {
        const known = streams.get(stream) ?? { first: position, sessions: new Set() }
        known.sessions.add(session)
        streams.set(stream, known)
      }
      yield { position, late }
    }
    at = end
  }
}

/** All events, and when each happened, to the word of `effectiveTime`. */
const readHappened = (
  connection: Connection,
  recorded: number,
  now: string | undefined,
): { readonly events: ReadonlyArray<Stated>; readonly happened: ReadonlyMap<number, Happened> } => {
  const rows = connection
    .prepare(
      `SELECT position, stream, ${unit}, occurred_at, recorded_at, ${writer} FROM events WHERE ${counting} ORDER BY position`,
    )
    .all() as ReadonlyArray<readonly [number, string, string, string, string, ...Writer]>
  const events = rows.map(([position, stream, unit, statedAt, recordedAt, ...writer]) => ({
    position,
    stream,
    unit,
    statedAt,
    recordedAt: position <= recorded ? recordedAt : null,
    ...writerOf(stream, writer),
  }))
  return { events, happened: effectiveTimes(events, now) }
}

/** When events happened whose writers' clocks said something else, by their positions. `now` is the reader's time. */
export const believedAt = (
  connection: Connection,
  positions: ReadonlyArray<number>,
  now: string,
): ReadonlyMap<number, string> => {
  const { recorded, steps } = readClocks(connection)
  const happened = steps ? readHappened(connection, recorded, now).happened : undefined
  const rows = connection
    .prepare(
      `SELECT position, occurred_at, CASE WHEN position <= ?2 THEN recorded_at ELSE ?3 END
       FROM events WHERE position IN (SELECT value FROM json_each(?1))`,
    )
    .all(JSON.stringify(positions), recorded, now) as ReadonlyArray<readonly [number, string, string]>
  const found = rows.map(([position, stated, limit]) => {
    const [at] = [happened?.get(position)?.at ?? stated, limit].sort() as [string, string]
    return [position, stated, at] as const
  })
  return new Map(
    found
      .filter(([, stated, at]) => Math.abs(Date.parse(stated) - Date.parse(at)) > tolerance)
      .map(([position, , at]) => [position, at]),
  )
}

/** How far back wrong clocks are looked for, and how many are told. */
const looked = 10_000
const shown = 20

/** From so many milliseconds on a time is wrong. */
const tolerance = 60_000

/**
 * The latest events whose writers' clocks were wrong, as far as that can be known, the latest first. Without a `now` that can be
 * relied on, nothing is said of an event for being later than that.
 */
export const wrongClocks = (connection: Connection, now: string | undefined): ReadonlyArray<WrongClock> => {
  const { recorded } = readClocks(connection)
  const [head] = connection.prepare("SELECT coalesce(max(position), 0) FROM events").get()
  const [steps] = connection.prepare("SELECT count(*) FROM clock_steps WHERE position > ?").get(head - looked)
  const found =
    steps > 0
      ? outOfOrder(connection, recorded, head - looked, now)
      : connection
          .prepare(`SELECT ${told} FROM events WHERE position > ?1 AND ${counting}
          AND occurred_at > CASE WHEN position <= ?2 THEN recorded_at ELSE ?3 END ORDER BY position DESC LIMIT 1000`)
          .all(head - looked, recorded, now ?? null)
          .map((row) => wrongClock(row, row[0] <= recorded ? row[2] : (now as string)))
          .filter(isWrong)
          .slice(0, shown)
  return named(connection, found)
}

const told = `position, occurred_at, recorded_at, meta ->> 'machine',
  coalesce(meta ->> 'key' = (SELECT machine FROM checkpoint), position > (SELECT position FROM sync))`

const outOfOrder = (connection: Connection, recorded: number, after: number, now: string | undefined) => {
  const { events, happened } = readHappened(connection, recorded, now)
  const found = events.flatMap(({ position, recordedAt, statedAt }) => {
    if (position <= after) return []
    const limit = recordedAt ?? now ?? statedAt
    const believed = happened.get(position)?.believedAt ?? statedAt
    const [at] = [believed, limit].sort() as [string, string]
    return Math.abs(Date.parse(statedAt) - Date.parse(at)) > tolerance ? [[position, at] as const] : []
  })
  const one = connection.prepare(`SELECT ${told} FROM events WHERE position = ?`)
  return found
    .reverse()
    .slice(0, shown)
    .map(([position, at]) => wrongClock(one.get(position), at))
}

const wrongClock = (
  [position, statedAt, , machine, own]: readonly [number, string, string, string, number],
  at: string,
): WrongClock => ({ position, machine, own: own === 1, ahead: Date.parse(statedAt) - Date.parse(at), at })

/** By the name that a machine has in the log, for several may call themselves the same. */
const named = (connection: Connection, clocks: ReadonlyArray<WrongClock>): ReadonlyArray<WrongClock> => {
  if (clocks.length === 0) return clocks
  const names = readNames(connection)
  const keyAt = connection.prepare("SELECT meta ->> 'key' FROM events WHERE position = ?")
  return clocks.map((clock) => ({ ...clock, machine: names.get(keyAt.get(clock.position)?.[0]) ?? clock.machine }))
}

const isWrong = ({ ahead }: WrongClock): boolean => Math.abs(ahead) > tolerance
