import { EventLog, type StreamAppend } from "@context-engine/core/EventLog"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expect, it } from "vitest"
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
    const all = [server("d"), server("e")].map(append)
    const exits = yield* Effect.all([all[0]!, taken, broken, all[1]!].map(Effect.exit), { concurrency: "unbounded" })
    return { exits, head: yield* Effect.flatMap(EventLog, (log) => log.head) }
  })
  const { exits, head } = await inLog(freshPath(), story)
  expect(exits.map(Exit.isSuccess)).toEqual([true, false, false, true])
  expect(head).toBe(3)
})
