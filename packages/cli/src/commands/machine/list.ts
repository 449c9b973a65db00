/** `context infra machine list` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { withMachines } from "../../runtime.js"

export const list = leaf({
  name: "list",
  description:
    "The machines that may write to the log, those that wait to be enrolled, and those that were revoked; invites that are open, and " +
    "roots that nobody here has accepted. Each with its fingerprint: the same on every screen, or it is another machine.",
  examples: ["machine list", "machine list --json"],
  run: (given) =>
    withMachines(given, ({ machines, sync }) =>
      Effect.zipWith(machines.list, sync.status, (list, { skew }) => ({ ...list, skew: skew ?? 0 })),
    ),
  render: async () => (await import("../../render/machines.js")).machines,
})
