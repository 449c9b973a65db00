/** `context infra events` */
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { choice, flag, integer, reading, text } from "../options.js"
import { withRegistry } from "../runtime.js"
import { instant } from "../since.js"
import { severities } from "./event/fields.js"

export const events = leaf({
  name: "events",
  description:
    "Shows the timeline, the last in the log first: deployments, changes of health, changes of the registry, and what people wrote.",
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
    Effect.flatMap(instant(given.since, "events"), (since) =>
      withRegistry(given, ({ timeline }) => timeline.list({ ...given, since })),
    ),
  render: async ({ ids, limit }) => {
    const [{ timeline }, { newest }] = await Promise.all([import("../render/events.js"), import("../render/newest.js")])
    return newest(timeline(ids), limit, 50)
  },
})
