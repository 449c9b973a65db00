/** `context infra deps <service> [--reverse]` */
import { leaf } from "../leaf.js"
import { argument, flag, reading } from "../options.js"
import { withRegistry } from "../runtime.js"

export const deps = leaf({
  name: "deps",
  description: "Shows what a service depends on; with --reverse, what depends on it.",
  examples: ["deps api", "deps --reverse postgres"],
  args: { service: argument("service", "The service: api, or myserver/api") },
  options: { ...reading, reverse: flag("reverse", "What depends on it") },
  run: (given) => withRegistry(given, ({ dependencies }) => dependencies.list(given)),
  render: async () => (await import("../render/registry.js")).dependencies,
})
