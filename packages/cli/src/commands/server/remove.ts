/** `context infra server remove <name>` */
import * as Effect from "effect/Effect"
import { argument, flag } from "../../options.js"
import { removal } from "../../removal.js"

export const remove = removal({
  description: "Removes a server from the registry. The log keeps its history.",
  examples: ["server remove myserver", "server remove myserver --cascade --yes"],
  args: { name: argument("name", "The server") },
  options: { cascade: flag("cascade", "Remove its services, and what hangs on them, too") },
  meant: ({ servers }, { cascade, name }) =>
    Effect.zipRight(
      servers.checkRemoval(name, { cascade }),
      Effect.map(servers.get(name), (server) => `server ${server.name}`),
    ),
  remove: ({ servers }, { cascade, name }) => servers.remove(name, { cascade }),
})
