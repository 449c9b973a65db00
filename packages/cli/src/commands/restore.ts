/** `context infra restore <file>` */
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { argument, removing } from "../options.js"
import { confirmed } from "../removal.js"
import { givenUpInWords } from "../render/loss.js"
import { databasePath, needsFile } from "../runtime/log.js"
import { load, withAudit } from "../runtime.js"
import { progress } from "../terminal.js"
import { Refused } from "../usage.js"

export const restore = leaf({
  name: "restore",
  description:
    "Verifies a backup and puts it in the place of the log. The log that was there is moved aside, never deleted. " +
    "Stop what uses it first.",
  examples: ["restore /mnt/usb/infra-2026-11-22.db", "restore backup.db --db copy.db --yes"],
  args: { file: argument("file", "A file that backup wrote") },
  options: removing,
  run: (given) =>
    Effect.gen(function* () {
      yield* needsFile("put a backup in the place of")
      const db = yield* databasePath(given.db)
      const { existsSync } = yield* Effect.promise(() => import("node:fs"))
      if (!existsSync(given.file)) return yield* new Refused({ message: `there is no file ${given.file}` })
      const report = yield* withAudit({ db: given.file, remembered: false }, ({ audit }) =>
        progress("verifying")(audit.verify()),
      )
      if (!report.ok) {
        const message = `${given.file} does not hold: ${report.findings[0]?.message}`
        return yield* new Refused({ message, next: `context infra audit verify --db ${given.file}` })
      }
      yield* confirmed(given.yes, `put the ${report.events} events of ${given.file} in the place of ${db}`)
      const aside = yield* load(
        () => import("@context-engine/store/restore"),
        ({ restore }) => restore(given.file, db),
      )
      const givenUp = yield* withAudit({ db, remembered: "quietly" }, ({ audit }) => audit.accept)
      return { file: given.file, db, events: report.events, aside, givenUp }
    }),
  said: ({ aside, db, events, givenUp }) =>
    [
      `restored ${events.toLocaleString("en")} events into ${db}${aside === null ? "" : `; what was there is in ${aside}`}`,
      ...(givenUp === null ? [] : [givenUpInWords(givenUp)]),
    ].join("\n"),
})
