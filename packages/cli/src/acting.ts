/** Watches one thing being done on a host: its steps, and what it prints. */
import type { LifecycleOptions } from "@context-engine/core/services/Lifecycle"
import * as Effect from "effect/Effect"
import { makeStream } from "./stream.js"
import { progress, relabel } from "./terminal.js"

type Watch = Required<Pick<LifecycleOptions, "onOutput" | "onStep">>

/** Shows the output and the steps on standard output, or on standard error if the answer is to be JSON. */
export const watched = <A>(
  { json, title }: { readonly json: boolean; readonly title: string },
  run: (watch: Watch) => Effect.Effect<A, unknown>,
): Effect.Effect<A, unknown> =>
  Effect.gen(function* () {
    const stream = makeStream({ toStandardError: json, gate: yield* Effect.makeLatch(true) })
    const step = (text: string) => Effect.zipRight(relabel(`${title}: ${text}`), stream.heading(text))
    return yield* run({
      onOutput: stream.write,
      onStep: (name, detail) =>
        name === "command" ? step(`running ${detail ?? "the command"}`) : step("waiting until it is healthy"),
    }).pipe(Effect.ensuring(stream.end), progress(title))
  })
