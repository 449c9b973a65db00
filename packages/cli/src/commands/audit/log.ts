/** `context infra audit log <name>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument } from "../../options.js"
import { logIsThere } from "../../runtime/log.js"
import { withAudit } from "../../runtime.js"

export const log = leaf({
  name: "log",
  description:
    "Every event in the life of one thing: what it changed, from what to what, by whom, how and on which machine.",
  examples: ["audit log myserver", "audit log myserver/api", "audit log api.example.com --json"],
  args: {
    name: argument(
      "name",
      "A server, service (api, or myserver/api), domain, secret, machine, …, by any name it ever had or its id; the id of a deployment, an invite or an event; or a stream",
    ),
  },
  run: (given) =>
    Effect.zipRight(
      logIsThere(given.db),
      withAudit(given, ({ history }) => history.life(given.name)),
    ),
  render: async () => (await import("../../render/audit.js")).life,
})
