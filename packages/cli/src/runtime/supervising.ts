/** Keeps `sync watch` running beside a server, in a process of its own: no fold and no rebase ever holds up a request. */
import { type ChildProcess, spawn } from "node:child_process"
import * as Effect from "effect/Effect"
import { signingEnvironment } from "./key.js"
import { isShared } from "./log.js"

/** How long a child has to end, in milliseconds. */
const grace = 5_000

/**
 * For as long as it runs: a watcher while a shared log is configured, started again when it dies. It ends with this program,
 * also where that is killed: the channel between the two then closes.
 */
export const keepSyncing = (path: string): Effect.Effect<never> =>
  Effect.gen(function* () {
    for (let deaths = 0; ; ) {
      if (!isShared(path)) {
        yield* Effect.sleep("1 second")
        continue
      }
      const began = performance.now()
      yield* watcher(path)
      deaths = performance.now() - began > 60_000 ? 0 : deaths + 1
      yield* Effect.sleep(Math.min(60_000, 250 * 2 ** Math.min(deaths, 10)))
    }
  })

/** One child, until it ends. What it tells goes to standard error. */
const watcher = (path: string): Effect.Effect<void> =>
  Effect.acquireUseRelease(
    Effect.sync(() => start(path)),
    ended,
    (child) =>
      Effect.suspend(() => {
        child.kill("SIGTERM")
        const last = setTimeout(() => child.kill("SIGKILL"), grace)
        return Effect.ensuring(
          ended(child),
          Effect.sync(() => clearTimeout(last)),
        )
      }),
  )

const start = (path: string): ChildProcess => {
  const { CONTEXT_TOKEN: _, ...env } = signingEnvironment()
  const words = [process.argv[1] as string, "infra", "sync", "watch", "--db", path]
  // Never the standard output: with --json there is one document on it.
  const child = spawn(process.execPath, words, { env, stdio: ["ignore", 2, 2, "ipc"] })
  return child.on("error", () => {})
}

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
    const done = () => resume(Effect.void)
    child.once("exit", done)
    return Effect.sync(() => void child.removeListener("exit", done))
  })
