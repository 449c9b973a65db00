/** `context infra sync join` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { needsFile } from "../../runtime/log.js"
import { withSync } from "../../runtime.js"
import { refused } from "../../syncing.js"
import { progress } from "../../terminal.js"

export const join = leaf({
  name: "join",
  description:
    "Leaves the shared log that was known for the one that is at the address now. Its history comes first, then all of " +
    "this machine's; the file as it was is kept beside it.",
  examples: ["sync join"],
  options: { yes: removing.yes },
  run: (given) =>
    Effect.zipRight(
      needsFile("join it with"),
      withSync(given, (sync) =>
        Effect.gen(function* () {
          const { ours, remoteEvents } = yield* sync.contact
          yield* confirmed(given.yes, `put ${ours} events of this machine after the ${remoteEvents} of the log there`)
          return yield* progress("joining")(sync.join({ wait: true }))
        }),
      ),
    ),
  render: async () => (await import("../../render/sync.js")).report,
  unwell: refused,
})
