import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { LineCutter } from "../../../src/services/logs/lines.js"

/** What a reader gets when the bytes come in these pieces. */
const read = (pieces: ReadonlyArray<Uint8Array | string>, wanted?: (line: string) => boolean): string => {
  const cutter = new LineCutter(wanted)
  return pieces.map((piece) => textOf(cutter.push(Buffer.from(piece)))).join("") + cutter.finish()
}

/** Bytes are passed on as they are only where they are UTF-8. */
const textOf = (lines: string | Uint8Array): string =>
  typeof lines === "string" ? lines : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(lines)

const all = () => true

describe("bytes of a log become clean lines", () => {
  it("only whole lines come, and at the end what is left", () => {
    const cutter = new LineCutter()
    expect(textOf(cutter.push(Buffer.from("one\ntw")))).toBe("one\n")
    expect(textOf(cutter.push(Buffer.from("o")))).toBe("")
    expect(textOf(cutter.push(Buffer.from("\nthree")))).toBe("two\n")
    expect(cutter.finish()).toBe("three\n")
    expect(cutter.finish()).toBe("")
  })

  it("without escape codes, control characters and progress that was written over", () => {
    expect(read(["\u001b[31mred\u001b[0m \u001b]0;title\u0007plain\u0000\u009b\n"])).toBe("red plain\n")
    expect(read([" 10 %\r 50 %\r100 %\r\ndone\r\n"])).toBe("100 %\ndone\n")
  })

  it("a title that never ends takes its own line with it, and no other", () => {
    expect(read(["a\n\u001b]0;title\nb\nc\n"])).toBe("a\n\nb\nc\n")
  })

  it("nothing turns text around", () => {
    const controls = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    expect(read([`user\u202e txt.exe ${controls}\n`])).toBe("user txt.exe \n")
  })

  it("a line without end is cut, and no character in two", () => {
    const text = read([`x${"😀".repeat(100_000)}`])
    expect(text.split("\n").slice(0, -1).join("")).toBe(`x${"😀".repeat(100_000)}`)
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(65_536)
  })

  it("as bytes, untouched, where nothing in them is to be cleaned", () => {
    const plain = Buffer.from("für 3 Kunden — 😀\tok\n")
    expect(new LineCutter().push(plain)).toEqual(plain)
    for (const not of ["\u001b", "\u0085", "\u202e", "\u2028", "\u061c", "\ufeff", "\r"])
      expect(new LineCutter().push(Buffer.from(`a${not}b\n`))).toBeTypeOf("string")
    for (const not of [[0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0xff]])
      expect(new LineCutter().push(Buffer.from([...not, 0x0a]))).toBeTypeOf("string")
  })

  it("only lines that match, as they are seen and not as they were coloured", () => {
    expect(read(["an \u001b[31mer\u001b[0mror\nfine\nerror 2\n"], (line) => /^an error|2$/.test(line))).toBe(
      "an error\nerror 2\n",
    )
    expect(read(["fine\n"], () => false)).toBe("")
  })

  it("however it is cut into pieces: 100,000 times the same text", () => {
    const parts = fc.constantFrom(
      ...[
        "\n",
        "\r\n",
        "\r",
        "a",
        "word ",
        "\u001b[1;31m",
        "\u001b[0m",
        "\u001b]0;t\u0007",
        "\u001b]0;",
        "\u001b",
        "\u202e",
      ],
      ...["é", "😀", "\u2028", "\u0000", "\u009b31m", "\ufeff", "مرحبا"],
    )
    const broken = fc.constantFrom(Buffer.from([0xff]), Buffer.from([0xe2, 0x82]), Buffer.from([0xf0, 0x9f]))
    const bytes = fc
      .array(
        fc.oneof({ weight: 9, arbitrary: parts.map((part) => Buffer.from(part)) }, { weight: 1, arbitrary: broken }),
        {
          maxLength: 24,
        },
      )
      .map((all) => Buffer.concat(all))
    const property = fc.property(bytes, fc.array(fc.nat(200), { maxLength: 12 }), (whole, places) => {
      const cuts = [0, ...places.map((place) => place % (whole.length + 1)).sort((a, b) => a - b), whole.length]
      const pieces = cuts.slice(1).map((end, index) => whole.subarray(cuts[index], end))
      const text = read(pieces)
      // Where lines are chosen, every one is looked at as text.
      for (const same of [read([whole]), read([whole], all)])
        if (text !== same) throw new Error(JSON.stringify([text, same]))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
      if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(text))
        throw new Error(JSON.stringify(text))
    })
    fc.assert(property, { numRuns: 100_000 })
  }, 240_000)

  it("long lines, too", () => {
    const line = fc.integer({ min: 65_500, max: 65_600 }).map((length) => `${"x".repeat(length)}😀`)
    const property = fc.property(
      fc.array(line, { maxLength: 3 }),
      fc.integer({ min: 1_000, max: 70_000 }),
      (lines, size) => {
        const whole = Buffer.from(lines.join("\n"))
        const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, n) =>
          whole.subarray(n * size, (n + 1) * size),
        )
        expect(read(pieces) === read([whole])).toBe(true)
      },
    )
    fc.assert(property, { numRuns: 30 })
  })
})
