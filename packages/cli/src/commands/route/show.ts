/** `context infra route show <domain>` */
import { leaf } from "../../leaf.js"
import { reading } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { domain, keyOptions } from "./fields.js"

export const show = leaf({
  name: "show",
  description: "Shows a route. The domain alone will do while it has only one.",
  args: { domain },
  options: { ...reading, ...keyOptions },
  run: (given) => withRegistry(given, ({ routes }) => routes.get(given)),
  render: async () => (await import("../../render/registry.js")).route,
})
