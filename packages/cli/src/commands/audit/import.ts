/** `context infra audit import <file>` */
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument } from "../../options.js"
import { count, rebuiltInWords } from "../../render/units.js"
import type { Books } from "../../runtime/audit.js"
import { isShared, type LogOptions, pathOfLog, syncMode } from "../../runtime/log.js"
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
    Effect.gen(function* () {
      const path = yield* pathOfLog(given)
      const { existsSync, lstatSync } = yield* Effect.promise(() => import("node:fs"))
      const isNew = existsSync(dirname(path)) && lstatSync(path, { throwIfNoEntry: false }) === undefined
      return yield* isNew && syncMode() !== "remote"
        ? intoNew(path, given)
        : withAudit(given, (books) => into(books, given.file))
    }),
  said: ({ events, inert, rebuilt }) =>
    [
      `took over ${count(events, "event")}`,
      ...(inert === 0 ? [] : [`${inert} of them ${inert === 1 ? "counts" : "count"} for nothing here: ${whyInert}`]),
      ...(rebuilt === 0 ? [] : [rebuiltInWords(rebuilt)]),
    ].join("; "),
})

const into = ({ audit, maintenance }: Books, file: string) =>
  Effect.gen(function* () {
    const { readLines } = yield* Effect.promise(() => import("../../lines.js"))
    // What is taken over is folded onto the rows that are there: they must be what the events say.
    const { differing } = yield* maintenance.rebuild()
    const { events, inert } = yield* progress("importing")(audit.import(readLines(file)))
    return { events, inert, rebuilt: differing }
  })

/** A file that is not there gets its name when all is in it. */
const intoNew = (path: string, { db, file }: LogOptions & { readonly file: string }) =>
  Effect.gen(function* () {
    const { makeWhole } = yield* Effect.promise(() => import("@context-engine/store/copies"))
    const taken = yield* makeWhole(path, (draft) =>
      withAudit({ db: `${draft}.work`, remembered: false }, (books) =>
        Effect.tap(into(books, file), () => books.maintenance.backup(draft)),
      ),
    )
    // From here on this machine remembers it.
    yield* withAudit({ db }, ({ audit }) => audit.loss)
    if (!isShared(db)) return taken
    const { inBackground } = yield* Effect.promise(() => import("../../runtime/sharing.js"))
    yield* inBackground(path)
    return taken
  })
