/** `context infra sync heal` */

import type { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { leaf } from "../../leaf.js"
import { removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { count } from "../../render/units.js"
import { needsFile } from "../../runtime/log.js"
import { withExchange } from "../../runtime.js"
import { refused } from "../../syncing.js"
import { progress } from "../../terminal.js"

export const heal = leaf({
  name: "heal",
  description:
    "Gives the shared log back what it lost: everything if it was reset, the rest if an older copy of it was restored, " +
    "and single events that somebody took away or changed there. " +
    "A person decides it, because somebody may have had a reason.",
  examples: ["sync heal", "sync heal --yes"],
  options: { yes: removing.yes },
  run: (given) =>
    Effect.zipRight(
      needsFile("heal it from"),
      withExchange(given, (sync) =>
        Effect.gen(function* () {
          yield* confirmed(given.yes, yield* intention(sync))
          return yield* progress("healing")(sync.heal({ wait: true }))
        }),
      ),
    ),
  render: async () => (await import("../../render/sync.js")).report,
  unwell: refused,
})

/** What is to be confirmed. What was changed there may be such that nothing can be told of it before it is put right. */
const intention = (sync: Sync["Type"]) =>
  Effect.gen(function* () {
    const met = yield* Effect.either(sync.contact)
    if (Either.isRight(met)) {
      const { common, ours, remoteEvents, state } = met.right
      if (state === "same" && ours === 0)
        return "compare the shared log with what is known here, and put right what differs"
      return `push ${count(ours, "event")} to the shared log, which is ${state} (${common} of its ${count(remoteEvents, "event")} known here)`
    }
    const { logId, remote } = yield* sync.status
    if (logId === null || !["foreign", "protocol"].includes(met.left.reason)) return yield* met.left
    return `put right what is kept at ${remote}, if the events there are those of this log`
  })
