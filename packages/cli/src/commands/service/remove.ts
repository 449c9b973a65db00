/** `context infra service remove <name>` */
import * as Effect from "effect/Effect"
import { argument, flag } from "../../options.js"
import { removal } from "../../removal.js"

export const remove = removal({
  description: "Removes a service from the registry. The log keeps its history.",
  examples: ["service remove api", "service remove myserver/api --cascade --yes"],
  args: { name: argument("name", "The service: api, or myserver/api") },
  options: { cascade: flag("cascade", "Remove the routes to it and the dependencies on it, too") },
  meant: ({ services }, { cascade, name }) =>
    Effect.zipRight(
      services.checkRemoval(name, { cascade }),
      Effect.map(services.get(name), (service) => `service ${service.server}/${service.name}`),
    ),
  remove: ({ services }, { cascade, name }) => services.remove(name, { cascade }),
})
