/** `context infra deploy <service>` */

import type { DeployMethod } from "@context-engine/core/domain/Service"
import { deploying, failure, follow } from "../deployment.js"
import { leaf } from "../leaf.js"
import { argument, choice, text } from "../options.js"
import { withDeployer } from "../runtime.js"

const methods = ["manual", "ci", "claude"] as const satisfies ReadonlyArray<DeployMethod>

export const deploy = leaf({
  name: "deploy",
  description:
    "Runs the deploy command of a service on its server, waits until the service is healthy, and records how it went.",
  examples: ["deploy api", "deploy api --version 4f2a91c"],
  args: { service: argument("service", "The service: api, or myserver/api") },
  options: {
    version: text("version", "sha", "The git sha, tag or version to bring; else whatever the command brings"),
    method: choice("method", methods, "Who deploys (default: manual)"),
    ...deploying,
  },
  run: (given) =>
    withDeployer(given, (deployer) =>
      follow("deploy", given, (options) =>
        deployer.deploy(given.service, { ...options, version: given.version, method: given.method }),
      ),
    ),
  render: async () => (await import("../render/deployments.js")).ended,
  unwell: (row, { service }) => failure(row, service),
})
