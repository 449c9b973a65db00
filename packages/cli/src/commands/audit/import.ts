/** `context infra audit import <file>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument } from "../../options.js"
import { count, rebuiltInWords } from "../../render/units.js"
import { withAudit } from "../../runtime.js"
import { progress } from "../../terminal.js"

const whyInert = "context infra audit verify says which and why"

export const importLog = leaf({
  name: "import",
  description:
    "Takes an exported log over, into an empty log or one that is a beginning of it. The chain is verified on the way in; " +
    "a line that breaks it refuses everything.",
  examples: ["audit import log.jsonl --db copy.db", "audit import - --db copy.db < log.jsonl"],
  args: { file: argument("file", "A file that audit export wrote; - is standard input") },
  run: (given) =>
    withAudit(given, ({ audit, maintenance }) =>
      Effect.gen(function* () {
        const { readLines } = yield* Effect.promise(() => import("../../lines.js"))
        // What is taken over is folded onto the rows that are there: they must be what the events say.
        const { differing } = yield* maintenance.rebuild()
        const { events, inert } = yield* progress("importing")(audit.import(readLines(given.file)))
        return { events, inert, rebuilt: differing }
      }),
    ),
  said: ({ events, inert, rebuilt }) =>
    [
      `took over ${count(events, "event")}`,
      ...(inert === 0 ? [] : [`${inert} of them ${inert === 1 ? "counts" : "count"} for nothing here: ${whyInert}`]),
      ...(rebuilt === 0 ? [] : [rebuiltInWords(rebuilt)]),
    ].join("; "),
})
