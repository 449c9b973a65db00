/** `context infra events` */
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { choice, flag, integer, reading, text } from "../options.js"
import { load, withRegistry } from "../runtime.js"
import { UsageError } from "../usage.js"
import { severities } from "./event/fields.js"

export const events = leaf({
  name: "events",
  description:
    "Shows the timeline, newest first: deployments, changes of health, changes of the registry, and what people wrote.",
  examples: ["events --since 2h", "events --service api --severity error"],
  options: {
    ...reading,
    server: text("server", "server", "Only what concerns this server"),
    service: text("service", "service", "Only what concerns this service"),
    since: text("since", "moment", "Only what happened since then: 2h (that long ago), or 2026-11-01T12:00Z"),
    severity: choice("severity", severities, "Only what is this grave"),
    limit: integer("limit", "How many to show (default: 50)"),
    ids: flag("ids", "Show the ids by which entries are changed"),
  },
  run: (given) =>
    Effect.flatMap(instant(given.since), (since) =>
      withRegistry(given, ({ timeline }) => timeline.list({ ...given, since })),
    ),
  render: async ({ ids }) => (await import("../render/events.js")).timeline(ids),
})

const instant = (since: string | undefined): Effect.Effect<string | undefined, UsageError> =>
  since === undefined
    ? Effect.succeed(undefined)
    : load(
        () => import("@context-engine/core/Time"),
        ({ parseMoment }) => {
          const read = parseMoment(since, Date.now())
          return read._tag === "Right" && read.right._tag === "Instant"
            ? Effect.succeed(read.right.instant)
            : new UsageError({
                message: `--since must be a span such as 2h or a time such as 2026-11-01T12:00Z, not ${JSON.stringify(since)}`,
                see: "context infra events --help",
              })
        },
      )
