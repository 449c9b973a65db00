/** `context infra dep list` */
import { leaf } from "../../leaf.js"
import { reading } from "../../options.js"
import { withRegistry } from "../../runtime.js"

export const list = leaf({
  name: "list",
  description: "Lists the dependencies of all services.",
  options: reading,
  run: (given) => withRegistry(given, ({ dependencies }) => dependencies.list()),
  render: async () => (await import("../../render/registry.js")).dependencies,
})
