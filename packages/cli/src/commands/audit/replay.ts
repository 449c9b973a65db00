/** `context infra audit replay --to <moment> --into <file>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { moments, required, requiredFile } from "../../options.js"
import { logIsThere } from "../../runtime/log.js"
import { withAudit } from "../../runtime.js"
import { progress } from "../../terminal.js"

export const replay = leaf({
  name: "replay",
  description:
    "Writes the log up to a moment, and all rows as they were then, into a database that any SQLite tool opens. Nothing can be added to it.",
  examples: ["audit replay --to 2026-11-01 --into november.db"],
  options: {
    to: required("to", "moment", moments),
    into: requiredFile("into", "The database to write; it must not exist yet"),
  },
  run: (given) =>
    Effect.zipRight(
      logIsThere(given.db),
      withAudit(given, ({ audit }) =>
        Effect.map(progress("replaying")(audit.replay(given.to, given.into)), (position) => ({
          position,
          into: given.into,
        })),
      ),
    ),
  said: ({ into, position }) => `replayed the log up to position ${position} into ${into}`,
})
