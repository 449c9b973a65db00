/** `context infra service remove <name>` */
import { argument, flag } from "../../options.js"
import { removal } from "../../removal.js"

export const remove = removal({
  description: "Removes a service from the registry. The log keeps its history.",
  examples: ["service remove api", "service remove myserver/api --cascade --yes"],
  args: { name: argument("name", "The service: api, or myserver/api") },
  options: { cascade: flag("cascade", "Remove the routes to it and the dependencies on it, too") },
  label: ({ name }) => `service ${name}`,
  check: ({ services }, { cascade, name }) => services.checkRemoval(name, { cascade }),
  remove: ({ services }, { cascade, name }) => services.remove(name, { cascade }),
})
