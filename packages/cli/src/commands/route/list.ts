/** `context infra route list` */
import { leaf } from "../../leaf.js"
import { reading } from "../../options.js"
import { withRegistry } from "../../runtime.js"

export const list = leaf({
  name: "list",
  description: "Lists the routes.",
  options: reading,
  run: (given) => withRegistry(given, ({ routes }) => routes.list()),
  render: async () => (await import("../../render/registry.js")).routes,
})
