import { once } from "node:events"
import { Readable } from "node:stream"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { collect } from "../../src/Remote/Output.js"

it("output that had ended before anybody listened has ended: a quick command is not waited for in vain", async () => {
  const ended = Readable.from([])
  const end = once(ended, "close")
  ended.resume()
  await end
  const output = collect({ stdout: Readable.from([Buffer.from("late\n")]), stderr: ended }, {})
  expect(await Effect.runPromise(Effect.timeout(output, "60 seconds"))).toEqual({ stdout: "late\n", stderr: "" })
})
