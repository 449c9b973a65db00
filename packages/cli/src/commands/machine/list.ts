/** `context infra machine list` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { logIsThere } from "../../runtime/log.js"
import { withMachines } from "../../runtime.js"

export const list = leaf({
  name: "list",
  description:
    "The machines that may write to the log, those that wait to be enrolled, and those that were revoked; invites that are open, and " +
    "roots that nobody here has accepted. Each with its fingerprint: the same on every screen, or it is another machine.",
  examples: ["machine list", "machine list --json"],
  run: (given) =>
    Effect.zipRight(
      logIsThere(given.db),
      withMachines(given, ({ isEmpty, machines, sync }) =>
        Effect.gen(function* () {
          const { enrolment, skew } = yield* sync.status
          // The first machine that signs something begins the root of a log that has nothing yet.
          const begins = enrolment !== "unsigned" && (yield* isEmpty)
          return { ...(yield* machines.list), skew: skew ?? 0, begins }
        }),
      ),
    ),
  render: async () => (await import("../../render/machines.js")).machines,
})
