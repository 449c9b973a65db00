/** `context infra server run <name…> -- <command…>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argumentList, connecting, flag, integer, text } from "../../options.js"
import { load, withRunning } from "../../runtime.js"
import { millis } from "../../since.js"
import { print, progress, screen } from "../../terminal.js"
import { UsageError } from "../../usage.js"

export const run = leaf({
  name: "run",
  description:
    "Runs a command on several servers at once, and shows what each printed as it ends. " +
    "The arguments arrive as they are given: no shell reads them, unless the command is one. The log keeps what was run where.",
  examples: [
    "server run web1 web2 -- uptime",
    "server run --tag edge -- systemctl is-active nginx",
    "server run --all --timeout 10s -- sh -c 'df -h / | tail -1'",
  ],
  args: { names: argumentList("name", "A server") },
  options: {
    ...connecting,
    tag: text("tag", "tag", "Every server with this tag"),
    all: flag("all", "Every server there is"),
    timeout: text("timeout", "span", "How long each server may take, connecting included (default: 60s)"),
    concurrency: integer("concurrency", "How many servers at once (default: 16)"),
  },
  passesRest: true,
  run: (given) =>
    Effect.gen(function* () {
      const { all, concurrency, json, names, rest, tag } = given
      if (rest.length === 0) return yield* unusable("name a command after --")
      if (names.length === 0 && tag === undefined && !all) return yield* unusable("say where: <name>, --tag or --all")
      const timeout = yield* millis("--timeout", given.timeout, "server run")
      return yield* withRunning(given, ({ commands }) =>
        load(
          () => import("../../render/running.js"),
          ({ printed }) =>
            commands.run({ names, tag, all }, rest, {
              timeout,
              concurrency,
              onReport: (report) => (json ? Effect.void : print(printed(report, screen()))),
            }),
        ).pipe(progress(`running ${rest[0]}`)),
      )
    }),
  render: async () => (await import("../../render/running.js")).statuses,
  unwell: (reports) => reports.some(({ exitCode }) => exitCode !== 0),
})

const unusable = (message: string) => new UsageError({ message, see: "context infra server run --help" })
