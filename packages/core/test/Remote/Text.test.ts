import { describe, expect, it } from "vitest"
import { clean } from "../../src/Remote/Text.js"

describe("clean", () => {
  it("makes one harmless line of any text", () => {
    expect(clean("  a\r\nb\u001b[31m\u0000c\u009bd\u202ee\u2028f\u200bg\u007f ")).toBe("a b [31m c d e f g")
  })

  it("keeps letters of all languages and cuts what is long", () => {
    expect(clean("žluťoučký 🐎")).toBe("žluťoučký 🐎")
    expect(clean("x".repeat(1_000))).toBe(`${"x".repeat(200)}…`)
  })
})
