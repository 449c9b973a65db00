/** `context infra server ssh <name> [-- command]` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument, connecting } from "../../options.js"
import { load, withOperations } from "../../runtime.js"
import { progress } from "../../terminal.js"
import { UsageError } from "../../usage.js"

export const ssh = leaf({
  name: "ssh",
  description:
    "Opens a shell on a server with the system's OpenSSH, or runs the command after --. The host keys are those that are pinned. " +
    "What is done there is between you and the server, and not in the log; server run notes what it ran.",
  examples: ["server ssh myserver", "server ssh myserver -- uptime"],
  args: { name: argument("name", "The server") },
  options: connecting,
  passesRest: true,
  run: (given) =>
    load(
      () => import("../../openssh.js"),
      ({ checkKey, connect }) =>
        Effect.gen(function* () {
          if (given.json && given.rest.length === 0) return yield* noShell
          const target = yield* withOperations(given, ({ hosts, registry }) =>
            Effect.gen(function* () {
              const server = yield* registry.servers.get(given.name)
              yield* checkKey(server.sshConfig?.keyPath, server.name)
              return yield* hosts.trusted(server)
            }).pipe(progress("connecting")),
          )
          // The log is closed by now: a session may last for days.
          return yield* connect(target, given.rest, given.json)
        }),
    ),
  render: async () => () => "",
  unwell: ({ exitCode }) => exitCode !== 0,
})

const noShell = new UsageError({
  message: "--json gives the output of a command: name one after --",
  see: "context infra server ssh --help",
})
