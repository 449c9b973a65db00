/** `context infra rebuild` */
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { count } from "../render/units.js"
import { logIsThere } from "../runtime/log.js"
import { withAudit } from "../runtime.js"
import { progress } from "../terminal.js"
import { walked } from "../walk.js"

export const rebuild = leaf({
  name: "rebuild",
  description:
    "Folds every row anew from the log into tables beside the live ones, compares them, and swaps them in one transaction. " +
    "Others go on reading and writing meanwhile.",
  examples: ["rebuild"],
  run: (given) =>
    Effect.zipRight(
      logIsThere(given.db),
      withAudit(given, ({ maintenance }) => progress("rebuilding")(maintenance.rebuild(walked("rebuilding")))),
    ),
  said: ({ differing, duration, events, rows }) =>
    `folded ${count(events, "event")} into ${count(rows, "row")} in ${duration.toFixed(1)} s; ` +
    (differing === 0
      ? "all were as the log says"
      : `${count(differing, "row")} ${differing === 1 ? "was not what the log says, and is" : "were not what the log says, and are"} now`),
})
