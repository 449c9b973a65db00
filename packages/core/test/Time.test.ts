import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { parseMoment, spanMillis } from "../src/Time.js"

const now = Date.parse("2026-11-22T12:00:00.000Z")
const instant = (text: string) => {
  const moment = Either.getOrThrow(parseMoment(text, now))
  return moment._tag === "Instant" ? moment.instant : moment.position
}

describe("moments", () => {
  it.each([
    ["1234", 1234],
    ["0", 0],
    ["now", "2026-11-22T12:00:00.000Z"],
    ["2h", "2026-11-22T10:00:00.000Z"],
    ["30d", "2026-10-23T12:00:00.000Z"],
    ["2026-11-01", "2026-11-01T00:00:00.000Z"],
    ["2026-11-01T12:00Z", "2026-11-01T12:00:00.000Z"],
    ["2026-11-01T12:00", "2026-11-01T12:00:00.000Z"],
    ["2026-11-01 12:00:30", "2026-11-01T12:00:30.000Z"],
    ["2026-11-01T12:00+02:00", "2026-11-01T10:00:00.000Z"],
  ])("%s is %s", (text, expected) => expect(instant(text)).toBe(expected))

  it.each(["", "yesterday", "2h30", "-2h", "2026-13-01", "12:00", "1e9", "2026-11-01T25:00Z"])(
    "%j is refused",
    (text) => expect(Either.isLeft(parseMoment(text, now))).toBe(true),
  )
})

it("reads spans", () => {
  expect(spanMillis("90s")).toBe(90_000)
  expect(spanMillis("2w")).toBe(14 * 86_400_000)
  expect(spanMillis("2 weeks")).toBeUndefined()
})
