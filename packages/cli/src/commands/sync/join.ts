/** `context infra sync join` */
import * as Effect from "effect/Effect"
import { agreed, onCopy } from "../../joining.js"
import { leaf } from "../../leaf.js"
import { removing } from "../../options.js"
import { needsFile } from "../../runtime/log.js"
import { withExchange } from "../../runtime.js"
import { refused } from "../../syncing.js"
import { progress } from "../../terminal.js"

export const join = leaf({
  name: "join",
  description:
    "Puts this machine's log after that of the shared log at the address, where both have a history and never met, or where " +
    "another log was known before. Both are shown first; the file as it was is kept beside it.",
  examples: ["sync join", "sync join --yes"],
  options: { yes: removing.yes },
  run: (given) =>
    Effect.zipRight(
      needsFile("join it with"),
      withExchange(given, (sync) =>
        Effect.gen(function* () {
          yield* agreed(given.yes, yield* sync.contact)
          return yield* progress("joining")(sync.join({ wait: true, onCopy }))
        }),
      ),
    ),
  render: async () => (await import("../../render/sync.js")).report,
  unwell: refused,
})
