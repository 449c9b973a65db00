/** `context infra deploy attach <service|id>` */
import { failure } from "../../deployment.js"
import { leaf } from "../../leaf.js"
import { argument, connecting } from "../../options.js"
import { load, withDeployer } from "../../runtime.js"

export const attach = leaf({
  name: "attach",
  description: "Watches a deployment that is on its way, from its first line on, begun on whichever machine.",
  examples: ["deploy attach api", "deploy attach 019ab3f0-5c1e"],
  args: { target: argument("service|id", "The service, or the id of the deployment") },
  options: connecting,
  run: ({ json, target, ...given }) =>
    withDeployer(given, (deployer) =>
      load(
        () => import("../../following.js"),
        ({ follow }) =>
          follow(deployer, { json, title: `deploy of ${target}`, named: true }, (watch) =>
            deployer.attach(target, { ...watch(target), environment: process.env }),
          ),
      ),
    ),
  render: async () => (await import("../../render/deployments.js")).deployed,
  unwell: (row) => failure(row),
})
