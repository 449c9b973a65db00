/** Output cut into lines. */
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { lines } from "../src/handlers/lines.js"

const cut = (...chunks: ReadonlyArray<string | Uint8Array>) => {
  const given: Array<string> = []
  const sink = lines((line) => Effect.sync(() => given.push(line)))
  for (const chunk of chunks) {
    Effect.runSync(sink.push(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk))
  }
  Effect.runSync(sink.end)
  return given
}

it("gives whole lines, however the pieces come", () => {
  expect(cut("one\ntw", "o\n", "\nthree")).toEqual(["one", "two", "", "three"])
  expect(cut()).toEqual([])
  const euro = new TextEncoder().encode("€\n")
  expect(cut(euro.subarray(0, 1), euro.subarray(1))).toEqual(["€"])
})

it("takes out escape codes and secrets", () => {
  expect(cut("\u001b[31mred\u001b[0m\r\n")).toEqual(["red"])
  expect(cut("TOKEN ghp_0123456789abcdefghijABCDEFGHIJ012345\n")).toEqual(["TOKEN [a GitHub token removed]"])
})

it("does not wait for ever for the end of a line", () => {
  expect(cut("x".repeat(20_000)).map((line) => line.length)).toEqual([8192, 8192, 3616])
})
