/** `context infra service show <name>` */
import { leaf } from "../../leaf.js"
import { argument, reading } from "../../options.js"
import { withRegistry } from "../../runtime.js"

export const show = leaf({
  name: "show",
  description: "Shows all that is known of a service.",
  args: { name: argument("name", "The service: api, or myserver/api") },
  options: reading,
  run: (given) => withRegistry(given, ({ services }) => services.get(given.name)),
  render: async () => (await import("../../render/services.js")).show,
})
