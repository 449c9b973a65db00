import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { cutAt } from "../src/happened.js"
import { memoryDatabase } from "./support/memoryMachine.js"

const iso = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString()

/** Events of three machines whose clocks never go back, put in any order; some of them confirmed, some inert. */
const log = fc.array(
  fc.record({
    machine: fc.integer({ min: 0, max: 2 }),
    step: fc.integer({ min: 0, max: 9 }),
    stream: fc.integer({ min: 0, max: 4 }),
    joins: fc.boolean(),
    waits: fc.integer({ min: 0, max: 5 }),
    inert: fc.integer({ min: 0, max: 9 }),
    seen: fc.option(fc.integer({ min: 0, max: 25 }), { nil: undefined }),
  }),
  { maxLength: 25 },
)

describe("the quick way to find what had happened", () => {
  it("finds what the exact one finds, where no clock went back", () => {
    fc.assert(
      fc.property(log, fc.integer({ min: 0, max: 25 }), fc.integer({ min: -1, max: 90 }), (events, confirmed, at) => {
        const { connection } = memoryDatabase("/nowhere")
        const clocks = [0, 0, 0]
        const versions = new Map<string, number>()
        let [unit, machine, recorded] = [0, 0, 0]
        let seen: number | undefined
        events.forEach((event, index) => {
          const joins = event.joins && index > 0
          if (!joins) [unit, machine, seen] = [unit + 1, event.machine, event.seen && Math.min(event.seen, index)]
          clocks[machine] = (clocks[machine] as number) + (joins ? 0 : event.step)
          if (!joins) recorded += event.waits
          const stream = `s-${event.stream}`
          const version = (versions.get(stream) ?? 0) + 1
          versions.set(stream, version)
          const meta = JSON.stringify({ machine: `m${machine}`, commandId: `c${unit}`, seen })
          connection
            .prepare("INSERT INTO events VALUES (?, ?, ?, ?, 'X', 1, '{}', ?, ?, ?, '', NULL, NULL, NULL)")
            .run(index + 1, `e${index}`, stream, version, meta, iso(clocks[machine] as number), iso(recorded))
          if (event.inert === 0 && !joins && events[index + 1]?.joins !== true)
            connection.prepare("INSERT INTO inert VALUES (?, 'noise')").run(index + 1)
        })
        // Units are confirmed whole.
        let whole = Math.min(confirmed, events.length)
        while (whole > 0 && events[whole]?.joins === true) whole -= 1
        connection.prepare("UPDATE sync SET recorded = ?").run(whole)
        const quick = cutAt(connection, iso(at), iso(1000))
        connection.prepare("INSERT INTO clock_steps VALUES (1)").run()
        const exact = cutAt(connection, iso(at), iso(1000))
        const inert = new Set(
          connection
            .prepare("SELECT position FROM inert")
            .all()
            .map(([p]) => p as number),
        )
        const shown = ({ skip, until }: typeof quick) =>
          events.map((_, i) => i + 1).filter((p) => p <= until && !skip.has(p) && !inert.has(p))
        expect(shown(quick)).toEqual(shown(exact))
        connection.close()
      }),
      { numRuns: 300 },
    )
  })
})
