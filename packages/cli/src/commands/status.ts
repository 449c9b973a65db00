/** `context infra status` */
import { leaf } from "../leaf.js"
import { reading } from "../options.js"
import { withOverview } from "../runtime.js"

export const status = leaf({
  name: "status",
  description:
    "Is everything well? Shows every server and service with what was found out last, and how long ago that was.",
  examples: ["status", "status --at 2h"],
  options: reading,
  run: (given) => withOverview(given, (overview) => overview.status),
  render: async () => (await import("../render/overview.js")).overview,
  unwell: ({ ok }) => !ok,
})
