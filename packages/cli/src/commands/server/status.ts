/** `context infra server status [name]` */
import { leaf } from "../../leaf.js"
import { argumentList, connecting } from "../../options.js"
import { withOperations } from "../../runtime.js"
import { progress } from "../../terminal.js"

export const status = leaf({
  name: "status",
  description:
    "Connects to every server, or to the named ones, and shows how they are: latency, uptime, load, memory, disk.",
  examples: ["server status", "server status myserver --accept-host-key"],
  args: { names: argumentList("name", "A server; all of them if none is named") },
  options: connecting,
  run: (given) => withOperations(given, ({ fleet }) => fleet.status(given.names).pipe(progress("connecting"))),
  render: async () => (await import("../../render/servers.js")).status,
  unwell: (reports) => reports.some((report) => report.status !== "online"),
})
