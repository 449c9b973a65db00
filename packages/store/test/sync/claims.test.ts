/** Who a row that counts for nothing says it is of: whoever has the token may have written anything there. */
import { claimed, nobodyNamed } from "@context-engine/core/services/Sync"
import { expect, it } from "vitest"
import { claimsOf } from "../../src/sync/status.js"

it.each([
  ["{}", nobodyNamed],
  ["null", nobodyNamed],
  ["[]", nobodyNamed],
  ["1", nobodyNamed],
  ["no JSON", nobodyNamed],
  ['{"actor":{},"machine":[1]}', nobodyNamed],
  ['{"actor":"","machine":""}', nobodyNamed],
  ['{"actor":"ada"}', "ada@?"],
  ['{"machine":"desk"}', "?@desk"],
  ['{"actor":"ada","machine":"desk"}', "ada@desk"],
])("%s is of %s", (meta, claims) => {
  expect(claimsOf(meta)).toBe(claims)
})

it("stands in quotes where it is a stranger's word, and where it is ours in none", () => {
  expect(claimed(claimsOf("{}"))).toBe("nobody it names")
  expect(claimed("ada@desk\n✓ all is well")).toBe('"ada@desk\\n✓ all is well"')
})
