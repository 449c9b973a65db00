/** Runs a command line: finds the leaf that it names and hands it the rest. */
import { createRequire } from "node:module"
import * as Effect from "effect/Effect"
import { uses } from "./codeCache.js"
import { print } from "./terminal.js"
import { locate } from "./tree.js"
import { UsageError } from "./usage.js"

/** Runs a command line, without the program's own name, that does not ask for help. */
export const main = (argv: ReadonlyArray<string>): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    if (argv[0] === "--version") return yield* print(`context ${version()}\n`)
    if (argv[0] === "--completions") {
      const { completions } = yield* Effect.promise(() => import("./completions.js"))
      return yield* completions(argv, version())
    }
    const place = yield* Effect.promise(() => locate(argv))
    if ("unknown" in place) return yield* noSuchCommand(place.name, place.unknown, place.known)
    if (!("leaf" in place)) return
    uses(place.name)
    return yield* place.leaf.run(place.name, place.argv)
  })

const noSuchCommand = (parent: string, word: string, known: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { nearest } = yield* Effect.promise(() => import("@context-engine/core/services/names"))
    const near = nearest(word, known)
    const hint = near.length > 0 ? ` — did you mean ${near.join(" or ")}?` : `: there are ${known.join(", ")}`
    return yield* new UsageError({ message: `${parent} has no command "${word}"${hint}`, see: `${parent} --help` })
  })

const version = (): string => createRequire(import.meta.url)("../package.json").version
