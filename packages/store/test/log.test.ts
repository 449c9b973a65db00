import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Commands } from "@context-engine/core/Commands"
import { entity } from "@context-engine/core/domain/Server"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Effect, Schema } from "effect"
import { expect, it } from "vitest"
import { layer } from "../src/layer.js"

it("works", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "ctx-")), "a.db")
  const program = Effect.gen(function* () {
    const commands = yield* Commands
    const models = yield* ReadModels
    const add = (id: string, name: string) =>
      commands.execute(
        Effect.succeed([
          {
            aggregate: entity.aggregate,
            id,
            command: { _tag: "Add" as const, data: Schema.decodeSync(entity.input)({ name, tags: ["a"] }) },
          },
        ]),
      )
    const t = performance.now()
    for (let i = 0; i < 1000; i++) yield* add(`s${i}`, `n${i}`)
    console.log("1000 appends", performance.now() - t)
    const t2 = performance.now()
    yield* Effect.forEach(Array.from({ length: 1000 }), (_, i) => add(`t${i}`, `m${i}`), { concurrency: 16 })
    console.log("1000 appends, 16 fibers", performance.now() - t2)
    const dup = yield* Effect.flip(add("x", "n1"))
    console.log(dup)
    const t3 = performance.now()
    const rows = yield* models.servers.list()
    console.log(rows.length, performance.now() - t3, rows[0], yield* models.asOf)
    expect(rows.length).toBe(2000)
  })
  await Effect.runPromise(program.pipe(Effect.provide(layer(path))))
})
