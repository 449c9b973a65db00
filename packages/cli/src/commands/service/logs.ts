/** `context infra service logs <name…>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argumentList, connecting, flag, parsed, short, text } from "../../options.js"
import { load, withRunning } from "../../runtime.js"
import { instant } from "../../since.js"
import { UsageError } from "../../usage.js"

export const logs = leaf({
  name: "logs",
  description:
    "Shows what services write: their log file, systemd's journal, their container's or pm2's log. " +
    "With -f it goes on through rotation and breaks of the link; no line is lost or shown twice. " +
    "With --json every line is an object on a line of its own.",
  examples: ["service logs api -f", "service logs api web --since 10m", "service logs api -n all --grep 'error|warn'"],
  args: { names: argumentList("name", "A service: api, or myserver/api") },
  options: {
    ...connecting,
    follow: short("f", flag("follow", "Go on with whatever is added, until Ctrl-C")),
    lines: short(
      "n",
      parsed("lines", "number", "How many of the last lines, or all (default: 100; all with --since)", readLines),
    ),
    since: text("since", "moment", "Only what was written since then: 10m (that long ago), or 2026-11-01T12:00Z"),
    grep: parsed("grep", "pattern", "Only lines that match this JavaScript regular expression", (re) => new RegExp(re)),
  },
  run: (given) =>
    Effect.gen(function* () {
      const { follow, grep, json, lines, names } = given
      if (names.length === 0) return yield* nothingNamed
      const since = yield* instant(given.since, "service logs")
      const options = {
        follow,
        lines: lines ?? (since === undefined ? 100 : "all"),
        ...(since === undefined ? {} : { since }),
        ...(grep === undefined ? {} : { grep }),
      } as const
      return yield* withRunning(given, (running) =>
        load(
          () => import("../../tailing.js"),
          ({ tail }) => tail(running.logs, names, options, json),
        ),
      )
    }),
})

function readLines(value: string): number | "all" {
  if (value === "all") return "all"
  if (/^\d{1,9}$/.test(value)) return Number(value)
  throw new Error(`must be a number of lines, or all, not ${JSON.stringify(value)}`)
}

const nothingNamed = new UsageError({ message: "missing argument <name>", see: "context infra service logs --help" })
