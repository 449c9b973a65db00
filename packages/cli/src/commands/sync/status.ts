/** `context infra sync status` */
import { leaf } from "../../leaf.js"
import { withSync } from "../../runtime.js"

export const status = leaf({
  name: "status",
  description:
    "How this machine stands to the shared log: what waits to be pushed, when it was last reached, what was refused. " +
    "Asks nobody.",
  examples: ["sync status"],
  run: (given) => withSync(given, (sync) => sync.status),
  render: async () => (await import("../../render/sync.js")).status,
  unwell: ({ lastError, rejected }) => lastError !== null || rejected > 0,
})
