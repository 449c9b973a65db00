/** What an audit is to a log in a file, for one in memory: its rows are those that its events make, folded anew. */
import { deepStrictEqual, strictEqual } from "node:assert"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { canonicalJson, storedJson } from "../../src/CanonicalJson.js"
import type { Recorded } from "../../src/Event.js"
import { EventLog } from "../../src/EventLog.js"
import { Fold } from "../../src/Fold.js"
import { ReadModels } from "../../src/ReadModels.js"
import { projections } from "../../src/views/all.js"

/** Refolds every event, as it is stored and with its members in another order, and holds the live rows against both. */
export const refolded = Effect.gen(function* () {
  const log = yield* EventLog
  const models = yield* ReadModels
  const all = Effect.map(Stream.runCollect(log.readAll()), Chunk.toReadonlyArray)
  const { events, live } = yield* Effect.all({ events: all, live: rowsOf(models), head: log.head }).pipe(
    // What a story left at work may have gone on between the two.
    Effect.repeat({ until: ({ events, head }) => events.length === head }),
  )
  for (const event of events)
    strictEqual(JSON.stringify(event.data), JSON.stringify(JSON.parse(storedJson(event.data))))
  deepStrictEqual(live, yield* rowsOf(foldOf(events).readModels))
  deepStrictEqual(live, yield* rowsOf(foldOf(events.map((event) => ({ ...event, data: backwards(event.data) }))).readModels)) // biome-ignore format: one step
})

const foldOf = (events: ReadonlyArray<Recorded>): Fold => {
  const fold = new Fold(projections)
  for (const event of events) fold.apply(event)
  return fold
}

const rowsOf = ({ asOf: _, ...views }: ReadModels["Type"]) =>
  Effect.all(
    Object.entries(views).map(([name, view]) =>
      Effect.map(view.list(), (rows: ReadonlyArray<object>) => [name, rows.map(canonicalJson).sort()]),
    ),
  )

const backwards = (value: unknown): unknown => {
  if (value === null || typeof value !== "object") return value
  if (Array.isArray(value)) return value.map(backwards)
  const members = Object.entries(value).reverse()
  return Object.fromEntries(members.map(([key, member]) => [key, backwards(member)]))
}
