import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { cutOf, effectiveTimes, type Stated } from "../src/effectiveTime.js"

const minute = (n: number) => new Date(Date.UTC(2026, 10, 1, 10, 0) + n * 60_000).toISOString()
const year = 525_600

/** Units of one machine, each an event of a stream of its own, unless told otherwise. */
const log = (...units: ReadonlyArray<Partial<Stated> & { readonly said: number }>): ReadonlyArray<Stated> =>
  units.map(({ said, ...rest }, index) => ({
    position: index + 1,
    stream: `server-${index}`,
    unit: `unit-${index}`,
    session: "laptop",
    statedAt: minute(said),
    recordedAt: null,
    ...rest,
  }))

const times = (events: ReadonlyArray<Stated>, now?: string) =>
  [...effectiveTimes(events, now).values()].map(({ at }) =>
    Math.round((Date.parse(at) - Date.parse(minute(0))) / 60_000),
  )

describe("when events happened", () => {
  it("is what their writers say, where no clock went back", () => {
    expect(times(log({ said: 0 }, { said: 5 }, { said: 5 }, { said: 9 }))).toEqual([0, 5, 5, 9])
  })

  it("is never after the shared log recorded them", () => {
    expect(times(log({ said: 0, recordedAt: minute(3) }, { said: year, recordedAt: minute(4) }))).toEqual([0, 4])
  })

  it("is where they stand, where a clock was ahead or behind for a while", () => {
    expect(times(log({ said: 0 }, { said: year }, { said: 2 }))).toEqual([0, 2, 2])
    expect(times(log({ said: 0 }, { said: 1 }, { said: -1440 }, { said: 2 }))).toEqual([0, 1, 2, 2])
    expect(times(log({ said: year }, { said: 0 }, { said: 2 }))).toEqual([0, 0, 2])
  })

  it("does not follow a clock that was ahead for many units, once that is known", () => {
    const ahead = [1, 2, 3, 4, 5].map((n) => ({ said: year + n }))
    const events = log({ said: 0 }, ...ahead, { said: 6 }, { said: 7 })
    expect(times(events, minute(8))).toEqual([0, 6, 6, 6, 6, 6, 6, 7])
    // Shared, it is the same: they were recorded before they say they happened.
    const shared = events.map((event) => ({ ...event, recordedAt: minute(9) }))
    expect(times(shared, minute(year * 2))).toEqual([0, 6, 6, 6, 6, 6, 6, 7])
  })

  it("is no later than another clock saw it, where the writer's own was put right only later", () => {
    const ahead = { said: year, recordedAt: minute(3) }
    expect(times(log({ said: 0 }, ahead, { said: 1_440, recordedAt: minute(1_440) }), minute(1_441))).toEqual([
      0, 3, 1_440,
    ])
  })

  it("never goes back within a stream, and is one for what was appended together", () => {
    const events = log(
      { said: 60, stream: "a", session: "server" },
      { said: 0, stream: "a", unit: "u" },
      { said: 0, stream: "b", unit: "u" },
      { said: 1, stream: "b" },
      { said: 2, stream: "c" },
    )
    expect(times(events)).toEqual([60, 60, 60, 60, 2])
  })

  it("is not that of what others did meanwhile, whoever shared it first", () => {
    const meanwhile = { said: 60, stream: "a", session: "server" }
    expect(times(log({ said: 0, stream: "a" }, meanwhile, { said: 5, stream: "a", seen: 1 }))).toEqual([0, 60, 5])
    // Unless its writer had it, or wrote something after it had.
    expect(times(log({ said: 0, stream: "a" }, meanwhile, { said: 5, stream: "a", seen: 2 }))).toEqual([0, 60, 60])
    const after = { said: 6, stream: "a", seen: 0 }
    expect(times(log(meanwhile, { said: 5, stream: "a", seen: 1 }, after))).toEqual([60, 60, 60])
    // Who does not say how far it had the log is taken to have had all of it.
    expect(times(log(meanwhile, { said: 5, stream: "a" }))).toEqual([60, 60])
  })

  it("is of one machine's clock only for what that machine wrote", () => {
    const events = log({ said: year, session: "other" }, { said: 0 }, { said: 1 })
    expect(times(events)).toEqual([year, 0, 1])
  })
})

const stated = fc
  .array(
    fc.record({
      stream: fc.integer({ min: 0, max: 5 }),
      session: fc.integer({ min: 0, max: 2 }),
      said: fc.integer({ min: -20, max: 20 }),
      joins: fc.boolean(),
      recorded: fc.option(fc.integer({ min: -5, max: 30 })),
    }),
    { maxLength: 30 },
  )
  .map((events) => {
    // The shared log records whole units, one after the other: what it has not recorded yet comes after all that it has.
    let [unit, session, recorded, waits] = [0, 0, Number.NEGATIVE_INFINITY, false]
    return events.map((event, index): Stated => {
      if (!event.joins || index === 0) {
        ;[unit, session] = [unit + 1, event.session]
        waits ||= event.recorded === null
        recorded = Math.max(recorded, event.recorded ?? recorded)
      }
      return {
        position: index + 1,
        stream: `s${event.stream}`,
        unit: `u${unit}`,
        session: `m${session}`,
        statedAt: minute(event.said),
        recordedAt: waits ? null : minute(recorded),
      }
    })
  })

describe("whatever the clocks say", () => {
  it("what was appended together happened at once, and neither a stream nor a session goes back", () => {
    fc.assert(
      fc.property(stated, (events) => {
        const found = effectiveTimes(events)
        const [units, streams, sessions] = [new Map(), new Map(), new Map()]
        for (const { position, session, stream, unit } of events) {
          const { at, believedAt } = found.get(position) as { at: string; believedAt: string }
          expect(units.get(unit) ?? at).toBe(at)
          expect(at >= (streams.get(stream) ?? "")).toBe(true)
          expect(believedAt >= (sessions.get(session) ?? "")).toBe(true)
          units.set(unit, at)
          streams.set(stream, at)
          sessions.set(session, believedAt)
        }
      }),
    )
  })

  it("every time is one that the session itself said or had recorded", () => {
    fc.assert(
      fc.property(stated, (events) => {
        for (const { believedAt } of effectiveTimes(events).values())
          expect(events.some(({ recordedAt, statedAt }) => [recordedAt, statedAt].includes(believedAt))).toBe(true)
      }),
    )
  })

  it("the events that had happened only grow with time", () => {
    fc.assert(
      fc.property(stated, fc.integer({ min: -25, max: 35 }), (events, at) => {
        const found = effectiveTimes(events)
        const at_ = (moment: string) =>
          cutOf(events.map(({ position }) => ({ position, late: (found.get(position)?.at ?? "") > moment })))
        const [before, after] = [at_(minute(at)), at_(minute(at + 1))]
        expect(before.until <= after.until).toBe(true)
        for (const position of after.skip) expect(position > before.until || before.skip.has(position)).toBe(true)
      }),
    )
  })
})
