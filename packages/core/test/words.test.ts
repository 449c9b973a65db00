import { expect, it } from "vitest"
import { withoutName } from "../src/words.js"

it("takes a name from the beginning of a message, and from nowhere else", () => {
  expect(withoutName("here: cannot be reached", "here")).toBe("cannot be reached")
  expect(withoutName("say so here: context infra", "here")).toBe("say so here: context infra")
  expect(withoutName("$&: x", "$&")).toBe("x")
})
