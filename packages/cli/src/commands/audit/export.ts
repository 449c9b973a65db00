/** `context infra audit export` */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { leaf } from "../../leaf.js"
import { file } from "../../options.js"
import { logIsThere } from "../../runtime/log.js"
import { withAudit } from "../../runtime.js"
import { print } from "../../terminal.js"

export const exportLog = leaf({
  name: "export",
  description:
    "Writes the whole log as lines of canonical JSON, one an event: byte for byte the same for the same log. " +
    "Without --into it goes to standard output.",
  examples: ["audit export > log.jsonl", "audit export --into log.jsonl"],
  options: { into: file("into", "The file to write; it must not exist yet") },
  run: (given) =>
    Effect.zipRight(
      logIsThere(given.db),
      withAudit(given, ({ audit }) =>
        given.into === undefined
          ? Effect.as(
              Stream.runForEach(Stream.grouped(audit.export, 500), (lines) =>
                print([...lines].map((line) => `${line}\n`).join("")),
              ),
              undefined,
            )
          : Effect.gen(function* () {
              const into = given.into as string
              const { writeLines } = yield* Effect.promise(() => import("../../lines.js"))
              return { into, events: yield* writeLines(into, audit.export) }
            }),
      ),
    ),
  render: async () => (await import("../../render/audit.js")).exported,
})
