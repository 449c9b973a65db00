/** `context infra backup <file>` */
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { argument } from "../options.js"
import { logIsThere } from "../runtime/log.js"
import { withAudit } from "../runtime.js"
import { progress } from "../terminal.js"

export const backup = leaf({
  name: "backup",
  description:
    "Writes a whole copy of the log, as it is at one moment, into a new file, and what deployments printed into a directory " +
    "beside it (<file>-logs). Others go on writing meanwhile.",
  examples: ["backup /mnt/usb/infra-2026-11-22.db"],
  args: { file: argument("file", "The file to write; it must not exist yet") },
  run: (given) =>
    Effect.zipRight(
      logIsThere(given.db),
      withAudit(given, ({ maintenance }) =>
        Effect.as(progress("copying")(maintenance.backup(given.file)), { file: given.file }),
      ),
    ),
  said: ({ file }) => `copied the log into ${file}`,
})
