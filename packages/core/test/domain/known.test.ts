import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { definitions } from "../../src/domain/Events.js"
import { keepKnown } from "../../src/domain/known.js"

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../fixtures/events/${name}.json`, import.meta.url)), "utf8"))

const more = { statusReason: true, localKey: "another's", id: "another", deploymentId: {}, zzz: { deep: [1] } }

/** The same value with members of other names in an object of it: in each in turn. */
const padded = (value: unknown): ReadonlyArray<unknown> => {
  if (value === null || typeof value !== "object") return []
  const inside = Object.entries(value).flatMap(([name, member]) =>
    padded(member).map((one) => (Array.isArray(value) ? value.with(Number(name), one) : { ...value, [name]: one })),
  )
  return Array.isArray(value) ? inside : [{ ...more, ...value }, ...inside]
}

describe("what an event holds beside what its type says", () => {
  for (const [type, { data, schema }] of definitions) {
    const keep = keepKnown(data)
    const decode = Schema.decodeUnknownOption(data, { onExcessProperty: "ignore" })
    const plain = fixture(`${type}.v${schema}`)

    it(`is left out of ${type}, wherever it stands, and costs no copy where there is nothing of it`, () => {
      expect(keep(plain)).toBe(plain)
      const wide = padded(plain)
      expect(wide.length).toBeGreaterThan(0)
      for (const one of wide) {
        const decoded = decode(one)
        // A record takes any name, but not any value: what does not fit counts for nothing.
        if (decoded._tag === "Some") expect(keep(one)).toEqual(decoded.value)
      }
      expect(keep(wide[0])).toEqual(plain)
    })
  }
})
