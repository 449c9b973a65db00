import { describe, expect, it } from "vitest"
import { block, type Column, table } from "../../src/render/table.js"
import { cut, type Screen, width, wrap } from "../../src/render/text.js"

const on = (columns: number, colour = false): Screen => ({ columns, colour, now: 0 })
interface Row {
  readonly name: string
  readonly state: string
  readonly notes: string | null
}
const columns: ReadonlyArray<Column<Row>> = [
  { title: "name", cell: (row) => row.name },
  { title: "state", cell: (row) => ({ text: row.state, style: "good" }) },
  { title: "notes", cell: (row) => row.notes, flexible: true },
]
const rows: ReadonlyArray<Row> = [
  { name: "hetzner", state: "online", notes: "the big one, in the cellar behind the boiler" },
  { name: "n1", state: "offline", notes: null },
]
const longest = (text: string) => Math.max(...text.split("\n").map(width))

describe("table", () => {
  it("aligns what fits", () => {
    expect(table(on(Number.POSITIVE_INFINITY), columns, rows)).toBe(
      [
        "NAME     STATE    NOTES",
        "hetzner  online   the big one, in the cellar behind the boiler",
        "n1       offline",
      ].join("\n"),
    )
  })

  it("goes on below the last column, and cuts others", () => {
    const text = table(on(40), columns, rows)
    expect(text).toContain("hetzner  online   the big one, in the\n                  cellar behind the\n")
    expect(longest(text)).toBeLessThanOrEqual(40)
    const [name, state, notes] = columns as [Column<Row>, Column<Row>, Column<Row>]
    expect(table(on(40), [name, notes, state], rows)).toContain("hetzner  the big one, in the c…  online\n")
  })

  it("stacks what does not fit, and wraps it", () => {
    const text = table(on(24), columns, rows)
    expect(text.split("\n").slice(0, 3)).toEqual(["hetzner", "  state  online", "  notes  the big one, in"])
    expect(text).toContain("\n\nn1\n  state  offline")
    expect(longest(text)).toBeLessThanOrEqual(24)
  })

  it("leaves out columns in which nothing stands", () => {
    expect(table(on(80), columns, rows.slice(1))).toBe("NAME  STATE\nn1    offline")
  })

  it("colours the words and not the spaces, and counts cells without the codes", () => {
    const [plain, coloured] = [table(on(80), columns, rows), table(on(80, true), columns, rows)]
    expect(coloured).toContain("\u001b[32monline\u001b[0m   the")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what it looks for
    expect(coloured.replace(/\u001b\[\d*m/g, "")).toBe(plain)
  })

  it("makes every cell safe", () => {
    const evil = [{ name: "a\u001b[2Jb\r\nc", state: "x\u009b31m", notes: "\u001b]0;title\u0007\u202egnp.exe" }]
    expect(table(on(80), columns, evil)).toBe("NAME  STATE  NOTES\nab c  x      gnp.exe")
    expect(block(on(80), "t\u001b[1m", [["k", "v\u0000\u0008"]])).toBe("t\n  k  v")
  })
})

describe("text", () => {
  it("knows wide and combining characters", () => {
    expect([width("abc"), width("日本"), width("e\u0301"), width("🐎")]).toEqual([3, 4, 1, 2])
    expect(cut("日本語です", 5)).toBe("日本…")
  })

  it("breaks between words, and inside those that are too long", () => {
    expect(wrap("one two three", 7)).toEqual(["one two", "three"])
    expect(wrap("abcdefghij kl", 4)).toEqual(["abcd", "efgh", "ij", "kl"])
  })
})
