import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { instantMillis, parseMoment, spanMillis } from "../src/Time.js"

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
    ["2028-02-29", "2028-02-29T00:00:00.000Z"],
    ["2026-11-30T23:59:59.999Z", "2026-11-30T23:59:59.999Z"],
  ])("%s is %s", (text, expected) => expect(instant(text)).toBe(expected))

  it.each(["", "yesterday", "2h30", "-2h", "2026-13-01", "12:00", "1e9", "2026-11-01T25:00Z"])(
    "%j is refused",
    (text) => expect(Either.isLeft(parseMoment(text, now))).toBe(true),
  )

  it.each([
    "2026-02-30",
    "2026-11-31",
    "2027-02-29",
    "2026-00-10",
    "2026-11-00",
    "2026-02-30T12:00Z",
    "2026-06-31 12:00",
  ])("%j is no day that there ever is: refused, with what a moment looks like", (text) => {
    const read = parseMoment(text, now)
    expect(Either.isLeft(read) && read.left.message).toContain(`"${text}" is not a moment: say 2026-11-01T12:00Z`)
    expect(instantMillis(text)).toBeUndefined()
  })

  it("a span that no clock can go back is refused, too", () => {
    expect(spanMillis("999999999w")).toBeUndefined()
    expect(Either.isLeft(parseMoment("999999999w", now))).toBe(true)
  })
})

it("reads spans", () => {
  expect(spanMillis("90s")).toBe(90_000)
  expect(spanMillis("2w")).toBe(14 * 86_400_000)
  expect(spanMillis("2 weeks")).toBeUndefined()
})
