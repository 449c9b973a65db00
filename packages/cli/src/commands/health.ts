/** `context infra health [service...]` */
import { leaf } from "../leaf.js"
import { argumentList, connecting } from "../options.js"
import { withOperations } from "../runtime.js"
import { progress } from "../terminal.js"

export const health = leaf({
  name: "health",
  description:
    "Asks every service, or the named ones, at their health endpoints from their own hosts, and records the answers.",
  examples: ["health", "health api myserver/worker"],
  args: { services: argumentList("service", "A service; all of them if none is named") },
  options: connecting,
  run: (given) =>
    withOperations(given, ({ health }) => health.check(given.services).pipe(progress("asking the services"))),
  render: async () => (await import("../render/services.js")).health,
  unwell: (reports) => reports.some(({ status }) => status === "unhealthy" || status === "degraded"),
})
