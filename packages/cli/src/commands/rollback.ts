/** `context infra rollback <service>` */
import { deploying, failure, follow } from "../deployment.js"
import { leaf } from "../leaf.js"
import { argument, text } from "../options.js"
import { withDeployer } from "../runtime.js"

export const rollback = leaf({
  name: "rollback",
  description: "Goes back to the last version of a service that was deployed well, or to the one that is named.",
  examples: ["rollback api", "rollback api --to 4f2a91c"],
  args: { service: argument("service", "The service: api, or myserver/api") },
  options: { to: text("to", "sha", "The version to go back to"), ...deploying },
  run: (given) =>
    withDeployer(given, (deployer) =>
      follow("rollback", given, (options) => deployer.rollback(given.service, { ...options, to: given.to })),
    ),
  render: async () => (await import("../render/deployments.js")).ended,
  unwell: (row, { service }) => failure(row, service),
})
