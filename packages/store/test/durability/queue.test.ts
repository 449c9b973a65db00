import { EventLog, type StreamAppend } from "@context-engine/core/EventLog"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expect, it } from "vitest"
import { Database } from "../../src/Database.js"
import { layer } from "../../src/layer.js"
import { serverAdded } from "../support/events.js"
import { freshPath } from "../support/files.js"

const inLog = <A, E>(path: string, story: Effect.Effect<A, E, EventLog>) =>
  Effect.runPromise(Effect.provide(story, layer(path)))

const append = (appends: ReadonlyArray<StreamAppend>) => Effect.flatMap(EventLog, (log) => log.append(appends))

const server = (name: string, event = serverAdded(name)): ReadonlyArray<StreamAppend> => [
  { stream: `server-${name}`, expected: 0, events: [event] },
]

it("lets nobody fail for what another, who shares the transaction, did wrong", async () => {
  const story = Effect.gen(function* () {
    const event = serverAdded("a")
    yield* append(server("a", event))
    // An id that is taken is an alarm; data that no row can hold is a bug. Both are those of one caller.
    const taken = append(server("b", { ...event, data: { name: "b" } }))
    const broken = append(server("c", { ...serverAdded("c"), data: { name: Symbol("c") } as never }))
    const twice = serverAdded("f")
    const doubled = append([{ stream: "server-f", expected: 0, events: [twice, twice] }])
    const all = [append(server("d")), taken, broken, doubled, append(server("e"))]
    const exits = yield* Effect.all(all.map(Effect.exit), { concurrency: "unbounded" })
    return { exits, head: yield* Effect.flatMap(EventLog, (log) => log.head) }
  })
  const { exits, head } = await inLog(freshPath(), story)
  expect(exits.map(Exit.isSuccess)).toEqual([true, false, false, false, true])
  expect(head).toBe(3)
})

it("has each commit wait for the disk", async () => {
  const settings = Effect.flatMap(Database, (database) =>
    database.write((connection) =>
      ["synchronous", "journal_mode"].map((name) => connection.prepare(`PRAGMA ${name}`).get()[0]),
    ),
  )
  // 2 is FULL: https://www.sqlite.org/pragma.html#pragma_synchronous
  expect(await Effect.runPromise(Effect.provide(settings, layer(freshPath())))).toEqual([2, "wal"])
})
