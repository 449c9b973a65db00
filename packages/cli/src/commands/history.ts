/** `context infra history <service>` */
import { leaf } from "../leaf.js"
import { argument, integer, reading } from "../options.js"
import { withDeployer } from "../runtime.js"

export const history = leaf({
  name: "history",
  description: "Shows the deployments of a service, newest first.",
  examples: ["history api --limit 5"],
  args: { service: argument("service", "The service: api, or myserver/api") },
  options: { ...reading, limit: integer("limit", "How many to show (default: 20)") },
  run: (given) =>
    withDeployer({ ...given, acceptHostKey: false }, (deployer) =>
      deployer.history(given.service, { limit: given.limit }),
    ),
  render: async ({ service }) => (await import("../render/deployments.js")).history(service),
})
