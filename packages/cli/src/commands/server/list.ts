/** `context infra server list` */
import { leaf } from "../../leaf.js"
import { reading } from "../../options.js"
import { withRegistry } from "../../runtime.js"

export const list = leaf({
  name: "list",
  description: "Lists the servers.",
  examples: ["server list", "server list --at 2026-11-01"],
  options: reading,
  run: (given) => withRegistry(given, ({ servers }) => servers.list()),
  render: async () => (await import("../../render/servers.js")).list,
})
