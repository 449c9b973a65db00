/** How what a command wrote reaches the other machines. */
import { spawn } from "node:child_process"
import { resolve } from "node:path"
import type { StorageError } from "@context-engine/core/Errors"
import { isHeld } from "@context-engine/store/sync/lock"
import * as Effect from "effect/Effect"
import { failAfterwards } from "../afterwards.js"
import { uses } from "../codeCache.js"
import { count } from "../render/units.js"
import { progress, say } from "../terminal.js"
import { Refused } from "../usage.js"
import { signingEnvironment } from "./key.js"
import { type LogOptions, syncMode } from "./log.js"

/**
 * In a process of its own, begun when this one has nothing left to do: nobody waits for the link. It stays for some seconds, so
 * that the next command finds it there and need not begin another.
 */
export const inBackground = (path: string): Effect.Effect<void, StorageError> =>
  Effect.map(isHeld(path, "watch"), (watched) => {
    uses("a shared log")
    const [, program] = process.argv
    if (program === undefined || watched) return
    process.once("exit", () => {
      const words = [program, "infra", "sync", "watch", "--idle", "5s", "--db", resolve(path)]
      spawn(process.execPath, words, { detached: true, stdio: "ignore", cwd: "/", env: signingEnvironment() })
    })
  })

/** At once. What it wrote is safe here in any case: that it is not yet there is told when the command has given its answer. */
export const waited = (options: LogOptions, shared: boolean): Effect.Effect<void> =>
  Effect.flatMap(Effect.either(shared ? now(options) : alone), (done) =>
    done._tag === "Right" ? Effect.void : failAfterwards(asRefused(done.left)),
  ).pipe(Effect.onInterrupt(() => say("done and kept here, not yet shared: context infra sync status")))

/** Nothing is shared with anybody: there is no shared log, or this command was told not to. */
const alone = Effect.suspend(() =>
  syncMode() === "off"
    ? new Refused({
        message: "done and kept here, not yet shared: CONTEXT_SYNC=off",
        next: "context infra sync now, without CONTEXT_SYNC=off",
      })
    : new Refused({
        message: "done and kept here, and shared with nobody: this log has no shared log",
        next: "context infra sync connect <url>",
      }),
)

const now = (options: LogOptions): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const { open } = yield* Effect.promise(() => import("./exchange.js"))
    const { pending, rejected } = yield* open(options, (sync) =>
      progress("waiting until it is in the shared log")(sync.now({ wait: true })),
    )
    const refused = rejected.find(({ outcome }) => outcome === "refused")
    if (refused !== undefined) {
      return yield* new Refused({ message: `${refused.what}: ${refused.reason}`, next: "context infra sync rejected" })
    }
    if (pending === 0) return
    const message = `done and kept here, not yet shared: ${count(pending, "event")} ${pending === 1 ? "waits" : "wait"} to be pushed`
    return yield* new Refused({ message, next: "context infra sync status" })
  })

const asRefused = (error: unknown): Refused => {
  if (error instanceof Refused) return error
  const message = `done and kept here, not yet shared: ${(error as Error).message}`
  return new Refused({ message, next: "context infra sync status" })
}
