/** Runs a command line with Effect and ends the process with its status. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import { main } from "./main.js"
import { errorScreen, say } from "./terminal.js"

const report = (cause: Cause.Cause<unknown>): Effect.Effect<number> =>
  Effect.gen(function* () {
    const { ending } = yield* Effect.promise(() => import("./exit.js"))
    const { status, text } = ending(cause, errorScreen().columns)
    if (text !== "") yield* say(text)
    return status
  })

const toStandardError = Logger.make<unknown, void>(({ message }) => {
  process.stderr.write(`${[message].flat().map(String).join(" ")}\n`)
})

/** Never returns: the process ends with the command. */
export const run = (argv: ReadonlyArray<string>): void =>
  main(argv).pipe(
    Effect.as(0),
    Effect.catchAllCause(report),
    Effect.provide(Logger.replace(Logger.defaultLogger, toStandardError)),
    NodeRuntime.runMain({
      disableErrorReporting: true,
      disablePrettyLogger: true,
      teardown: (exit) =>
        process.exit(Exit.isSuccess(exit) ? (exit.value as number) : Cause.isInterrupted(exit.cause) ? 130 : 70),
    }),
  )
