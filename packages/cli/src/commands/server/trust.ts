/** `context infra server trust <name>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { withRegistry } from "../../runtime.js"

export const trust = leaf({
  name: "trust",
  description:
    "Forgets the pinned host keys of a server, so that the next key it shows can be accepted. Do it only when you know why the key changed.",
  examples: ["server trust myserver"],
  args: { name: argument("name", "The server") },
  options: removing,
  run: (given) =>
    withRegistry(given, ({ servers }) =>
      Effect.gen(function* () {
        const server = yield* servers.get(given.name)
        if (server.hostKeys.length > 0) yield* confirmed(given.yes, `forget the host keys of ${server.name}`)
        return { server: server.name, forgotten: yield* servers.forgetHostKeys(given.name) }
      }),
    ),
  said: ({ forgotten, server }) =>
    forgotten.length === 0
      ? `no host key of ${server} is pinned`
      : `forgot the host keys of ${forgotten.join(", ")}; pin the new one: context infra server status ${server} --accept-host-key`,
})
