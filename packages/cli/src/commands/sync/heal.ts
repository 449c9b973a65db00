/** `context infra sync heal` */

import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { count } from "../../render/units.js"
import { needsFile } from "../../runtime/log.js"
import { withSync } from "../../runtime.js"
import { refused } from "../../syncing.js"
import { progress } from "../../terminal.js"

export const heal = leaf({
  name: "heal",
  description:
    "Gives the shared log back what it lost: everything if it was reset, the rest if an older copy of it was restored. " +
    "A person decides it, because somebody may have had a reason.",
  examples: ["sync heal", "sync heal --yes"],
  options: { yes: removing.yes },
  run: (given) =>
    Effect.zipRight(
      needsFile("heal it from"),
      withSync(given, (sync) =>
        Effect.gen(function* () {
          const { common, ours, remoteEvents, state } = yield* sync.contact
          const what = `push ${count(ours, "event")} to the shared log, which is ${state} (${common} of its ${count(remoteEvents, "event")} known here)`
          yield* confirmed(given.yes, what)
          return yield* progress("healing")(sync.heal({ wait: true }))
        }),
      ),
    ),
  render: async () => (await import("../../render/sync.js")).report,
  unwell: refused,
})
