/**
 * When what the log tells happened, as far as its clocks can be believed. Each writer states a time; no clock is right for ever.
 *
 * - Nothing happened after the shared log recorded it.
 * - Where a clock went back between two units of one writer, what it said before and after cannot all be right: the longest run
 *   of its times that never goes back is believed, and the others happened when the next of those did, unless they were
 *   recorded before that: a clock is mostly put right soon after it was wrong.
 * - What was appended together happened at once, and not before what it follows: of a thing's own events those that its writer wrote
 *   before, or had. What others did meanwhile, who shared it first, it does not follow, though the log has it before.
 *
 * All of it follows from what every machine has, so all of them come to the same times.
 */
import { machinesStream } from "./domain/Machine.js"
import { CommandRejected } from "./domain/Rejection.js"
import type { Recorded } from "./Event.js"

/** What of an event says when it happened. */
export interface Stated {
  readonly position: number
  readonly stream: string
  /** Equal for events that were appended together, which follow each other. */
  readonly unit: string
  /** Whose clock it was: units of one session were written one after the other. */
  readonly session: string
  /** By the writer's clock, ISO 8601 UTC. */
  readonly statedAt: string
  /** Nothing of it happened later: when the shared log recorded it; `null` where no other clock has seen it yet. */
  readonly recordedAt: string | null
  /** How far its writer had the shared log; absent where that is not known, and all that is before it counts as had. */
  readonly seen?: number | undefined
}

/**
 * Whether an event is of no session, for the order of times: a machine writes it while it synchronises, before or between
 * what it had written long before.
 */
export const isApart = ({ stream, type }: { readonly stream: string; readonly type: string }): boolean =>
  stream === machinesStream || type === CommandRejected.type

/** What an event says of its time. Unsigned, the command tells what was appended together. */
export const statedBy = (event: Recorded, isConfirmed: boolean): Stated => {
  const { meta, occurredAt, position, recordedAt, signature, stream } = event
  const session = meta.key === undefined ? meta.machine : `${meta.key} ${meta.session}`
  return {
    position,
    stream,
    unit: signature ?? meta.commandId,
    session: isApart(event) ? event.id : session,
    statedAt: occurredAt,
    recordedAt: isConfirmed ? recordedAt : null,
    seen: isApart(event) ? undefined : meta.seen,
  }
}

/** When an event happened; `believedAt` is what was made of the writer's own clock. */
export interface Happened {
  readonly at: string
  readonly believedAt: string
}

/** From so many milliseconds on a time is not wrong by chance. */
const tolerance = 60_000

interface Unit {
  readonly events: Array<Stated>
  readonly session: string
  stated: string
  /** Nothing of it happened later. */
  readonly limit: string | null
  /** It says a time that had not come when others saw it. */
  doubtful: boolean
}

/** When each event happened, by its position. `now`: the reader's time, after which nothing that waits here can have happened. */
export const effectiveTimes = (events: ReadonlyArray<Stated>, now?: string): ReadonlyMap<number, Happened> => {
  const units = unitsOf(events, now)
  const sessions = new Map<string, Array<Unit>>()
  for (const unit of units) {
    const session = sessions.get(unit.session)
    if (session === undefined) sessions.set(unit.session, [unit])
    else session.push(unit)
  }
  const believed = new Map<Unit, string>()
  for (const session of sessions.values()) for (const [unit, at] of believe(session)) believed.set(unit, at)
  return inOrder(units, believed)
}

const unitsOf = (events: ReadonlyArray<Stated>, now: string | undefined): ReadonlyArray<Unit> => {
  const units: Array<Unit> = []
  for (const event of events) {
    const { recordedAt, session, statedAt } = event
    const limit = recordedAt ?? now
    const stated = recordedAt !== null && recordedAt < statedAt ? recordedAt : statedAt
    const doubtful = limit !== undefined && statedAt > limit && Date.parse(statedAt) - Date.parse(limit) > tolerance
    const last = units[units.length - 1]
    if (last === undefined || last.events[0]?.unit !== event.unit) {
      units.push({ events: [event], session, stated, limit: recordedAt, doubtful })
      continue
    }
    last.events.push(event)
    if (stated > last.stated) last.stated = stated
    last.doubtful ||= doubtful
  }
  return units
}

/** The times of one session, which never go back. */
const believe = (session: ReadonlyArray<Unit>): ReadonlyArray<readonly [Unit, string]> => {
  const run = goesBack(session) ? longestRun(session) : session
  let [next, last] = [0, run[0]?.stated ?? ""]
  return session.map((unit) => {
    if (unit !== run[next]) return [unit, between(last, run[next]?.stated, unit.limit)] as const
    next += 1
    last = unit.stated
    return [unit, last] as const
  })
}

/** When a unit happened whose clock is not believed. */
const between = (before: string, after: string | undefined, limit: string | null): string =>
  after === undefined ? before : limit !== null && limit < after ? limit : after

const goesBack = (session: ReadonlyArray<Unit>): boolean =>
  session.some((unit, index) => index > 0 && unit.stated < (session[index - 1] as Unit).stated)

/**
 * The longest run that never goes back, in which a unit that nobody doubts counts for more than any number of doubtful ones. Of
 * equal ones that with the latest units.
 */
const longestRun = (session: ReadonlyArray<Unit>): ReadonlyArray<Unit> => {
  const ranks = new Map(
    [...new Set(session.map(({ stated }) => stated))].sort().map((stated, index) => [stated, index]),
  )
  const best = new BestBefore(ranks.size)
  const length: Array<number> = []
  const previous: Array<number> = []
  session.forEach(({ doubtful, stated }, index) => {
    const rank = ranks.get(stated) as number
    const before = best.upTo(rank, length)
    previous[index] = before
    length[index] = (length[before] ?? 0) + (doubtful ? 1 : session.length + 1)
    best.put(rank, index, length)
  })
  const run: Array<Unit> = []
  for (let index = best.upTo(ranks.size - 1, length); index >= 0; index = previous[index] as number)
    run.push(session[index] as Unit)
  return run.reverse()
}

/** The end of the best run among those that end at a rank or below it: a Fenwick tree of indices. */
class BestBefore {
  readonly #tree: Array<number>
  constructor(size: number) {
    this.#tree = Array(size + 1).fill(-1)
  }

  /** The index; -1 where there is none. */
  upTo(rank: number, length: ReadonlyArray<number>): number {
    let found = -1
    for (let at = rank + 1; at > 0; at -= at & -at) found = better(found, this.#tree[at] as number, length)
    return found
  }

  put(rank: number, index: number, length: ReadonlyArray<number>): void {
    for (let at = rank + 1; at < this.#tree.length; at += at & -at)
      this.#tree[at] = better(this.#tree[at] as number, index, length)
  }
}

const better = (a: number, b: number, length: ReadonlyArray<number>): number => {
  const [one, other] = [length[a] ?? 0, length[b] ?? 0]
  if (one === other) return Math.max(a, b)
  return one > other ? a : b
}

/** When units happened: at once with all of their own, and not before what they follow. */
const inOrder = (units: ReadonlyArray<Unit>, believed: ReadonlyMap<Unit, string>): ReadonlyMap<number, Happened> => {
  const happened = new Map<number, Happened>()
  const streams = new Map<string, InStream>()
  for (const unit of units) {
    const believedAt = believed.get(unit) as string
    let at = believedAt
    for (const { seen, stream } of unit.events) {
      const before = streams.get(stream)?.followed(unit.session, seen) ?? ""
      if (before > at) at = before
    }
    for (const { position, stream } of unit.events) {
      const known = streams.get(stream)
      const before = known ?? new InStream()
      if (known === undefined) streams.set(stream, before)
      before.add(position, unit.session, at)
      happened.set(position, { at, believedAt })
    }
  }
  return happened
}

/** When the events of one stream happened, in the order of the log. */
class InStream {
  readonly #positions: Array<number> = []
  /** The latest time of all up to each of them. */
  readonly #latest: Array<string> = []
  readonly #sessions = new Map<string, string>()

  add(position: number, session: string, at: string): void {
    const before = this.#latest[this.#latest.length - 1] ?? ""
    this.#positions.push(position)
    this.#latest.push(at > before ? at : before)
    this.#sessions.set(session, at)
  }

  /** The latest of those that what is next in a session follows. */
  followed(session: string, seen = Number.POSITIVE_INFINITY): string {
    const had = this.#latest[this.#until(seen) - 1] ?? ""
    return [had, this.#sessions.get(session) ?? ""].sort()[1] as string
  }

  /** How many of them are up to a position: found by halving, for those that were written apart are the last. */
  #until(position: number): number {
    let [low, high] = [0, this.#positions.length]
    if ((this.#positions[high - 1] ?? 0) <= position) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#positions[middle] as number) <= position) low = middle + 1
      else high = middle
    }
    return low
  }
}

/**
 * A part of the log, as of a moment: the events up to a position but some. Who writes offline has events put after others that
 * happened later.
 */
export interface Cut {
  readonly until: number
  readonly skip: ReadonlySet<number>
}

/** All events up to a position. */
export const upTo = (until: number): Cut => ({ until, skip: new Set() })

/**
 * The end of the last unit that is whole at a position: of what was appended together nothing is shown before all of it is. `unitOf`
 * gives what events of one unit share; nothing where none stands that counts.
 */
export const wholeUntil = (position: number, unitOf: (position: number) => string | undefined): number => {
  const next = unitOf(position + 1)
  if (next === undefined) return position
  let end = position
  while (end > 0 && unitOf(end) === next) end -= 1
  return end
}

/** Whether an event is in a part of the log. */
export const isIn = ({ skip, until }: Cut, position: number): boolean => position <= until && !skip.has(position)

/** The part of the log that had happened at an instant, from the events that had not, in the order of the log. */
export const cutOf = (events: Iterable<{ readonly position: number; readonly late: boolean }>): Cut => {
  const late: Array<number> = []
  let until = 0
  for (const event of events) {
    if (event.late) late.push(event.position)
    else until = event.position
  }
  return { until, skip: new Set(late.filter((position) => position < until)) }
}
