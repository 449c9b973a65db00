import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { readContainer, readJournal } from "../../../src/services/logs/entries.js"

const cursor = "s=6f2a;i=1b3c;b=9d;m=a1;t=5f;x=c0"

describe("an entry of the journal", () => {
  it("is a cursor and a message", () => {
    const line = JSON.stringify({ __CURSOR: cursor, __REALTIME_TIMESTAMP: "1", MESSAGE: "listening on 3000" })
    expect(readJournal(line)).toEqual({ at: cursor, text: "listening on 3000" })
  })

  it("may say its message as bytes, which the journal does where they are no plain text", () => {
    const bytes = [...Buffer.from("\u001b[32mgrün\u001b[0m")]
    expect(readJournal(JSON.stringify({ __CURSOR: cursor, MESSAGE: bytes }))?.text).toBe("\u001b[32mgrün\u001b[0m")
    expect(readJournal(JSON.stringify({ __CURSOR: cursor, MESSAGE: [0xff, 65] }))?.text).toBe("\ufffdA")
  })

  it("without a message, or with one too long to be given, is still an entry", () => {
    expect(readJournal(JSON.stringify({ __CURSOR: cursor, MESSAGE: null }))).toEqual({ at: cursor, text: "" })
    expect(readJournal(JSON.stringify({ __CURSOR: cursor }))).toEqual({ at: cursor, text: "" })
    expect(readJournal(JSON.stringify({ __CURSOR: cursor, MESSAGE: [300, -1, "x"] }))).toEqual({ at: cursor, text: "" })
  })

  it("is nothing where the cursor could not be handed back as it is", () => {
    for (const at of ["", "$(touch pwned)", "a b", "x".repeat(501), 5, null, undefined]) {
      expect(readJournal(JSON.stringify({ __CURSOR: at, MESSAGE: "x" }))).toBeUndefined()
    }
    expect(readJournal("-- No entries --")).toBeUndefined()
    expect(readJournal("null")).toBeUndefined()
  })
})

describe("a line of a container", () => {
  it("is a time and what was said then", () => {
    const at = "2026-11-22T20:10:01.123456789Z"
    expect(readContainer(`${at} GET / 200`)).toEqual({ at, text: "GET / 200" })
    expect(readContainer(`${at} `)).toEqual({ at, text: "" })
    expect(readContainer(at)).toEqual({ at, text: "" })
    expect(readContainer(`${at}   indented`)?.text).toBe("  indented")
  })

  it("podman writes times with a zone, and without fractions", () => {
    expect(readContainer("2026-11-22T20:10:01+01:00 x")).toEqual({ at: "2026-11-22T20:10:01+01:00", text: "x" })
    expect(readContainer("2026-11-22T20:10:01.5-05:30 x")?.at).toBe("2026-11-22T20:10:01.5-05:30")
  })

  it("is nothing where there is no time", () => {
    for (const line of ["", "Error: No such container: api", "2026-11-22 20:10:01 x", "2026-11-22T20:10:01 x"]) {
      expect(readContainer(line)).toBeUndefined()
    }
  })
})

it("junk is read without a word, 100,000 times", () => {
  const keys = fc.constantFrom("__CURSOR", "MESSAGE", "__proto__", "x")
  const line = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.dictionary(keys, fc.oneof(fc.jsonValue(), fc.constant(cursor))).map((value) => JSON.stringify(value)),
    fc
      .tuple(fc.constantFrom("2026-11-22T20:10:01Z", "2026-11-22T20:10:01."), fc.string())
      .map((words) => words.join("")),
  )
  const property = fc.property(line, (text) => {
    for (const entry of [readJournal(text), readContainer(text)]) {
      if (entry !== undefined && (typeof entry.at !== "string" || typeof entry.text !== "string")) throw new Error(text)
    }
  })
  fc.assert(property, { numRuns: 100_000 })
}, 240_000)
