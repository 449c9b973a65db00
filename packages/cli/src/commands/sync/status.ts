/** `context infra sync status` */
import { leaf } from "../../leaf.js"
import { syncMode } from "../../runtime/log.js"
import { withSync } from "../../runtime.js"

export const status = leaf({
  name: "status",
  description:
    "How this machine stands to the shared log: what waits to be pushed, when it was last reached, what was refused, what counts for nothing. " +
    "Asks nobody. CONTEXT_SYNC says how the log is shared: synced (the default) into this machine's file; remote: the shared " +
    "log alone, with no file here (then this asks it, too); replica: by way of a replica beside the file; off.",
  examples: ["sync status"],
  run: (given) => withSync(given, (sync) => sync.status),
  render: async () => (await import("../../render/sync.js")).status(syncMode()),
  unwell: ({ breaks, inert, lastError, loss, rejected, roots }) =>
    lastError !== null || loss !== null || rejected + inert + breaks.length + roots.length > 0,
})
