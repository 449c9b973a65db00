/** `context infra server show <name>` */
import { leaf } from "../../leaf.js"
import { argument, reading } from "../../options.js"
import { withRegistry } from "../../runtime.js"

export const show = leaf({
  name: "show",
  description: "Shows all that is known of a server.",
  args: { name: argument("name", "The server") },
  options: reading,
  run: (given) => withRegistry(given, ({ servers }) => servers.get(given.name)),
  render: async () => (await import("../../render/servers.js")).show,
})
