/** `context infra history <service>`, and one deployment whole. */
import type { Deployer } from "@context-engine/core/services/Deployer"
import * as Effect from "effect/Effect"
import type { Branch } from "../branch.js"
import { leaf } from "../leaf.js"
import { argument, integer, reading } from "../options.js"
import { safe } from "../render/safe.js"
import { withDeployer } from "../runtime.js"
import { progress, say } from "../terminal.js"
import { show } from "./history/show.js"

const history = leaf({
  name: "history",
  description:
    "Shows the deployments of a service, newest first. One that nobody has seen to its end is looked for on its server first.",
  examples: ["history api --limit 5", "history show 019ab3f0-5c1e"],
  args: { service: argument("service", "The service: api, or myserver/api") },
  options: { ...reading, limit: integer("limit", "How many to show (default: 20)") },
  run: (given) =>
    withDeployer({ ...given, acceptHostKey: false }, (deployer) =>
      Effect.gen(function* () {
        const rows = yield* deployer.history(given.service, { limit: given.limit })
        if (
          given.at !== undefined ||
          given.knownAt !== undefined ||
          !rows.some(({ status }) => status === "in_progress")
        )
          return rows
        yield* settled(deployer, given.service)
        return yield* deployer.history(given.service, { limit: given.limit })
      }),
    ),
  render: async ({ limit, service }) => {
    const [rows, { newest }] = await Promise.all([import("../render/deployments.js"), import("../render/newest.js")])
    return newest(rows.history(service), limit, 20)
  },
})

/** Asks the host how those ended that are open. That it does not answer, or its answer cannot be noted, is no reason to show nothing. */
const settled = (deployer: Deployer["Type"], service: string): Effect.Effect<void> =>
  deployer.settle(service).pipe(
    Effect.asVoid,
    Effect.timeout("10 seconds"),
    Effect.catchAll((error) => {
      const why = error._tag === "TimeoutException" ? "its host does not answer now" : error.message
      return say(safe(`${service}: in progress as far as the log knows; how it stands could not be found out: ${why}`))
    }),
    progress(`asking how the deploy of ${service} stands`),
  )

export const branch: Branch = { own: history, verbs: [show] }
