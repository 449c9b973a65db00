/** `context infra alert` */
import { leaf } from "../leaf.js"
import { withAlerts } from "../runtime.js"

export const alert = leaf({
  name: "alert",
  description:
    "What is wrong now, as far as the log knows: servers and services that are unwell, deployments that failed, commands that " +
    "were refused, trouble with the shared log. Each with how grave it is, since when, and what to do next. Asks nobody; exit " +
    "status 1 if there is anything.",
  examples: ["alert", "alert --json", "health && alert"],
  run: (given) => withAlerts(given, (alerts) => alerts.list),
  render: async () => (await import("../render/alerts.js")).alerts,
  unwell: (found) => found.length > 0,
})
