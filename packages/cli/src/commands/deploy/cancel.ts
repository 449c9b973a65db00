/** `context infra deploy cancel <service|id>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument, connecting, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { withDeployer } from "../../runtime.js"
import { progress } from "../../terminal.js"
import { Refused } from "../../usage.js"

export const cancel = leaf({
  name: "cancel",
  description: "Ends a deployment that is on its way, with all its processes.",
  examples: ["deploy cancel api", "deploy cancel 019ab3f0-5c1e --yes"],
  args: { target: argument("service|id", "The service, or the id of the deployment") },
  options: { ...connecting, ...removing },
  run: ({ target, yes, ...given }) =>
    Effect.zipRight(
      confirmed(yes, `cancel the deploy of ${target}, with all its processes`),
      withDeployer(given, (deployer) => deployer.cancel(target).pipe(progress(`cancelling the deploy of ${target}`))),
    ),
  said: ({ id, reason, server, service, status }) =>
    status === "failed"
      ? `cancelled deployment ${id} of ${server}/${service}`
      : `deployment ${id} of ${server}/${service} ended: ${status}${reason === null ? "" : `, ${reason}`}`,
  unwell: ({ server, service, status }) =>
    status === "failed"
      ? undefined
      : new Refused({
          message: `the deploy of ${server}/${service} was not cancelled: ${status === "success" ? "it was over already" : "nobody knows how it ended"}`,
          next: `context infra history ${server}/${service}`,
        }),
})
