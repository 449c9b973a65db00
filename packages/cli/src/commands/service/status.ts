/** `context infra service status <name>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument, connecting, integer } from "../../options.js"
import type { Operations } from "../../runtime/operations.js"
import { withOperations } from "../../runtime.js"
import { progress } from "../../terminal.js"

export const status = leaf({
  name: "status",
  description: "Asks a service at its health endpoint now, and shows the end of its log.",
  examples: ["service status api", "service status myserver/api --lines 50"],
  args: { name: argument("name", "The service: api, or myserver/api") },
  options: { ...connecting, lines: integer("lines", "How many lines of its log to show (default: 10)", 0) },
  run: (given) =>
    withOperations(given, (operations) =>
      Effect.gen(function* () {
        const [report] = yield* operations.health.check([given.name])
        return { ...report, log: yield* endOfLog(operations, given.name, given.lines ?? 10) }
      }).pipe(progress("asking the service")),
    ),
  render: async () => (await import("../../render/services.js")).status as never,
  unwell: (report) => report.status === "unhealthy" || report.status === "degraded",
})

/** The last lines of the service's log; `null` where it has none, or the host cannot be reached (which the check says). */
const endOfLog = ({ hosts, registry }: Operations, name: string, lines: number) =>
  Effect.gen(function* () {
    const service = yield* registry.services.get(name)
    if (service.logPath === null || lines <= 0) return null
    const server = yield* registry.servers.get(service.server)
    const script = 'tail -n "$2" -- "$1" 2>&1'
    return yield* hosts.run(server, { script, args: [service.logPath, String(lines)], timeout: 10_000 }).pipe(
      Effect.map((result) => result.stdout),
      Effect.orElseSucceed(() => null),
    )
  })
