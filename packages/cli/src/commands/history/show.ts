/** `context infra history show <id>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument } from "../../options.js"
import { withDeployer } from "../../runtime.js"

export const show = leaf({
  name: "show",
  description: "Shows one deployment with all that it printed.",
  examples: ["history show 019ab3f0-5c1e"],
  args: { id: argument("id", "The id of the deployment, or how it begins") },
  run: (given) =>
    withDeployer({ ...given, acceptHostKey: false }, (deployer) =>
      Effect.gen(function* () {
        const row = yield* deployer.get(given.id)
        const { text, whole } = yield* deployer.output(row.id)
        return { ...row, logs: text, whole }
      }),
    ),
  render: async () => (await import("../../render/deployment.js")).deployment,
})
