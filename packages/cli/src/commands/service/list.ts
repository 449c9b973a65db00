/** `context infra service list` */
import { leaf } from "../../leaf.js"
import { reading, text } from "../../options.js"
import { withRegistry } from "../../runtime.js"

export const list = leaf({
  name: "list",
  description: "Lists the services.",
  examples: ["service list --server myserver"],
  options: { ...reading, server: text("server", "server", "Only those on this server") },
  run: (given) => withRegistry(given, ({ services }) => services.list({ server: given.server })),
  render: async () => (await import("../../render/services.js")).list,
})
