import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import * as AsOf from "@context-engine/core/services/AsOf"
import { Registry } from "@context-engine/core/services/Registry"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { layer } from "../src/layer.js"
import { freshPath } from "./support/files.js"

describe("the past", () => {
  it("is answered by the same questions, and leaves the present alone", async () => {
    const story = Effect.gen(function* () {
      const registry = yield* Registry
      const log = yield* EventLog
      yield* registry.servers.add({ name: "alpha" })
      const then = yield* log.head
      yield* registry.servers.rename("alpha", "omega")
      yield* registry.servers.add({ name: "beta" })
      const names = Effect.flatMap(ReadModels, (models) =>
        Effect.map(models.servers.list(), (rows) => rows.map((row) => row.name)),
      )
      return {
        past: yield* Effect.provide(names, AsOf.layer(String(then))),
        nothing: yield* Effect.provide(names, AsOf.layer("1h")),
        today: yield* Effect.provide(names, AsOf.layer("now")),
        now: yield* names,
        future: (yield* Effect.flip(Effect.provide(names, AsOf.layer("99")))).message,
        nonsense: (yield* Effect.flip(Effect.provide(names, AsOf.layer("tuesday")))).message,
      }
    })
    const seen = await Effect.runPromise(story.pipe(Effect.provide(Registry.layer), Effect.provide(layer(freshPath()))))
    expect(seen).toEqual({
      past: ["alpha"],
      nothing: [],
      today: ["beta", "omega"],
      now: ["beta", "omega"],
      future: "at: is beyond the end: the log ends at position 3",
      nonsense: expect.stringContaining('"tuesday" is not a moment'),
    })
  })
})
