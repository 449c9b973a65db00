/** `context infra backup <file>` */
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { argument } from "../options.js"
import { logIsThere } from "../runtime/log.js"
import { withAudit } from "../runtime.js"
import { progress } from "../terminal.js"
import { UsageError } from "../usage.js"

export const backup = leaf({
  name: "backup",
  description:
    "Writes a whole copy of the log, as it is at one moment, into a new file, and what deployments printed into a directory " +
    "beside it (<file>-logs). Others go on writing meanwhile.",
  examples: ["backup /mnt/usb/infra-2026-11-22.db"],
  args: { file: argument("file", "The file to write; it must not exist yet") },
  run: (given) =>
    Effect.zipRight(
      Effect.zipRight(isFile(given.file), logIsThere(given.db)),
      withAudit(given, ({ maintenance }) =>
        Effect.as(progress("copying")(maintenance.backup(given.file)), { file: given.file }),
      ),
    ),
  said: ({ file }) => `copied the log into ${file}`,
})

/** A copy is verified before it gets its name, which a stream does not have. */
const isFile = (file: string): Effect.Effect<void, UsageError> =>
  file === "-"
    ? new UsageError({
        message: "a backup is a file of its own, and no stream: give it a name",
        see: "context infra backup --help",
      })
    : Effect.void
