import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { definitions } from "../../src/domain/Events.js"
import { lift, type Upcasts, upcasts } from "../../src/domain/Upcasts.js"
import { recorded } from "../../src/testing/specification.js"

/** One golden file for every shape that was ever released: `<type>.v<shape>.json`. Never edited, only added to. */
const directory = fileURLToPath(new URL("../fixtures/events/", import.meta.url))
const fixtures = new Map(
  readdirSync(directory).map((file) => [
    file.replace(/\.json$/, ""),
    JSON.parse(readFileSync(`${directory}${file}`, "utf8")),
  ]),
)

describe("every shape that was ever written can be read", () => {
  for (const [type, definition] of definitions) {
    for (let shape = 1; shape <= definition.schema; shape++) {
      it(`${type}, shape ${shape}`, () => {
        const data = fixtures.get(`${type}.v${shape}`)
        expect(data, `packages/core/test/fixtures/events/${type}.v${shape}.json is missing`).toBeDefined()
        const lifted = lift(recorded({ type, data }, { stream: "x-1", schema: shape }))
        expect(lifted.schema).toBe(definition.schema)
        const decoded = Schema.decodeUnknownEither(definition.data, { onExcessProperty: "error" })(lifted.data)
        expect(Either.isRight(decoded), String(Either.getLeft(decoded))).toBe(true)
      })
    }
  }

  it("by as many upcasts as there are older shapes", () => {
    for (const [type, { schema }] of definitions) expect(upcasts.get(type)?.length ?? 0, type).toBe(schema - 1)
  })
})

describe("lifting", () => {
  const known = new Map([["LampLit", { schema: 3, data: Schema.Any }]])
  const table: Upcasts = new Map([
    [
      "LampLit",
      [
        ({ watts }: { watts: number }) => ({ power: watts }),
        ({ power }: { power: number }) => ({ power: { watts: power } }),
      ],
    ],
  ])
  const lit = (schema: number, data: unknown) => recorded({ type: "LampLit", data }, { stream: "lamp-1", schema })

  it("goes from any older shape through every one after it", () => {
    expect(lift(lit(1, { watts: 7 }), known, table)).toMatchObject({ schema: 3, data: { power: { watts: 7 } } })
    expect(lift(lit(2, { power: 7 }), known, table)).toMatchObject({ schema: 3, data: { power: { watts: 7 } } })
  })

  it("leaves today's shape and unknown types alone", () => {
    const today = lit(3, { power: { watts: 7 } })
    expect(lift(today, known, table)).toBe(today)
    const unknown = recorded({ type: "MoonLanded", data: {} }, { stream: "moon-1", schema: 9 })
    expect(lift(unknown, known, table)).toBe(unknown)
  })

  it("does not pretend to know a shape of a later version", () => {
    expect(lift(lit(4, { lumens: 800 }), known, table)).toMatchObject({ type: "LampLit@4", data: { lumens: 800 } })
  })
})
