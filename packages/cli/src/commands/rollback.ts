/** `context infra rollback <service>` */
import * as Effect from "effect/Effect"
import { askedFor, deploying, failure } from "../deployment.js"
import { leaf } from "../leaf.js"
import { argument, text } from "../options.js"
import { load, withDeployer } from "../runtime.js"

export const rollback = leaf({
  name: "rollback",
  description: "Goes back to the last version of a service that was verified healthy, or to the one that is named.",
  examples: ["rollback api", "rollback api --to 4f2a91c"],
  args: { service: argument("service", "The service: api, or myserver/api") },
  options: { to: text("to", "sha", "The version to go back to"), ...deploying },
  run: (given) =>
    Effect.flatMap(askedFor("rollback", given), (asked) =>
      withDeployer(given, (deployer) =>
        load(
          () => import("../following.js"),
          ({ follow }) =>
            follow(deployer, { json: given.json, title: `rollback of ${given.service}` }, (watch) =>
              deployer.rollback(given.service, { ...asked, to: given.to, ...watch(given.service) }),
            ),
        ),
      ),
    ),
  render: async () => (await import("../render/deployments.js")).deployed,
  unwell: (row) => failure(row),
})
