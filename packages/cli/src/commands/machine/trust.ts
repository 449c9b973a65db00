/** `context infra machine trust <fingerprint>` */

import { chooseRoot } from "@context-engine/core/services/chooseRoot"
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument, integer, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { needsFile } from "../../runtime/log.js"
import { withMachines } from "../../runtime.js"

export const trust = leaf({
  name: "trust",
  description:
    "Accepts a root of the log that another machine began: from its place on, it says who may write. Do it only if the machine that " +
    "began it shows the same fingerprint, and you know why it did. With the fingerprint of a root that counted before, this machine " +
    "goes back to that one. Roots after it count no more here.",
  examples: ["machine trust 7g2k-m0xq-91vd-c3aa", "machine trust 7g2k --position 1"],
  args: { fingerprint: argument("fingerprint", "That of the root, or its beginning, as machine list shows it") },
  options: { ...removing, position: integer("position", "Where it stands, if one key began more than one root") },
  run: (given) =>
    Effect.zipRight(
      needsFile("remember it in"),
      withMachines(given, ({ machines }) =>
        Effect.gen(function* () {
          const root = yield* chooseRoot(yield* machines.list, given.fingerprint, given.position)
          const what = `take ${root.name} (${root.fingerprint}) for the root of the log, from position ${root.position} on`
          yield* confirmed(given.yes, what)
          return yield* machines.trust(root.fingerprint, root.position)
        }),
      ),
    ),
  said: ({ fingerprint, name, position }) =>
    `${name} (${fingerprint}) is accepted as the root of the log, from position ${position} on`,
})
