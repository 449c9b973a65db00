/** `context infra restore <file>` */
import { word } from "@context-engine/core/Shell"
import * as Effect from "effect/Effect"
import { leaf } from "../leaf.js"
import { argument, removing } from "../options.js"
import { confirmed } from "../removal.js"
import { givenUpInWords } from "../render/loss.js"
import { databasePath, needsFile } from "../runtime/log.js"
import { withAudit } from "../runtime.js"
import { progress } from "../terminal.js"
import { Refused } from "../usage.js"
import { walked } from "../walk.js"

export const restore = leaf({
  name: "restore",
  description:
    "Verifies a copy of a backup, with what is beside it (<file>-wal), and puts it in the place of the log. Rows that are not what " +
    "the events say are built anew. The log that was there is kept aside, never deleted. Stop what uses it first.",
  examples: ["restore /mnt/usb/infra-2026-11-22.db", "restore backup.db --db copy.db --yes"],
  args: { file: argument("file", "A file that backup wrote") },
  options: removing,
  run: (given) =>
    Effect.gen(function* () {
      yield* needsFile("put a backup in the place of")
      const db = yield* databasePath(given.db)
      const { existsSync } = yield* Effect.promise(() => import("node:fs"))
      if (!existsSync(given.file)) return yield* new Refused({ message: `there is no file ${given.file}` })
      const { prepare } = yield* Effect.promise(() => import("@context-engine/store/restore"))
      const found = yield* progress("verifying")(prepare(given.file, db, walked("verifying")))
      if (found.problems.length > 0) {
        const message = `${given.file} does not hold: ${found.problems[0]}`
        return yield* new Refused({ message, next: `context infra audit verify --db ${word(given.file)}` })
      }
      yield* confirmed(given.yes, `put the ${found.events} events of ${given.file} in the place of ${db}`)
      const aside = yield* found.place
      const givenUp = yield* withAudit({ db, remembered: "quietly" }, ({ audit }) => audit.accept)
      return { file: given.file, db, events: found.events, rebuilt: found.differing, aside, givenUp }
    }).pipe(Effect.scoped),
  said: ({ aside, db, events, givenUp, rebuilt }) =>
    [
      `restored ${events.toLocaleString("en")} events into ${db}` +
        (rebuilt === 0
          ? ""
          : `; ${rebuilt.toLocaleString("en")} rows were not what the events say, and were built anew`) +
        (aside === null ? "" : `; what was there is in ${aside}`),
      ...(givenUp === null ? [] : [givenUpInWords(givenUp)]),
    ].join("\n"),
})
