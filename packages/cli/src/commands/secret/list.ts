/** `context infra secret list` */
import { leaf } from "../../leaf.js"
import { reading } from "../../options.js"
import { withRegistry } from "../../runtime.js"

export const list = leaf({
  name: "list",
  description: "Lists the secrets: their names, where they are kept, and when they are to be rotated.",
  options: reading,
  run: (given) => withRegistry(given, ({ secrets }) => secrets.list()),
  render: async () => (await import("../../render/registry.js")).secrets,
})
