/** `context infra sync log` */
import { leaf } from "../../leaf.js"
import { integer } from "../../options.js"
import { withSync } from "../../runtime.js"

export const log = leaf({
  name: "log",
  description: "What happened between this machine and the shared log, newest first.",
  examples: ["sync log --limit 10"],
  options: { limit: integer("limit", "How many to show (default: 50)") },
  run: (given) => withSync(given, (sync) => sync.log(given.limit)),
  render: async ({ limit }) => {
    const [{ entries }, { newest }] = await Promise.all([
      import("../../render/sync.js"),
      import("../../render/newest.js"),
    ])
    return newest(entries, limit, 50)
  },
})
