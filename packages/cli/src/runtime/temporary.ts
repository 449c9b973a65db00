/** A log for the life of one command: in a directory of its own that nobody else can read, and gone with the command. */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { acquire } from "@context-engine/store/sync/lock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Refused } from "../usage.js"

const prefix = "context-remote-"

/** The path for the log's file, until the scope is closed or the process ends. What killed processes left is removed first. */
export const temporaryLog: Effect.Effect<string, unknown, Scope.Scope> = Effect.gen(function* () {
  yield* removeLeftovers
  const directory = yield* Effect.acquireRelease(make, (made) => Effect.sync(() => remove(made)))
  yield* acquire(logOf(directory), "alive")
  return logOf(directory)
})

const make = Effect.try({
  try: () => {
    const made = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
    // Some ends leave no time for a scope: a reader that went away, a defect.
    process.once("exit", () => remove(made))
    return made
  },
  catch: (error) =>
    new Refused({
      message: `CONTEXT_SYNC=remote needs a temporary directory, and none can be made in ${tmpdir()} (${(error as NodeJS.ErrnoException).code})`,
      next: "name another place with TMPDIR",
    }),
})

const remove = (directory: string): void => {
  try {
    rmSync(directory, { recursive: true, force: true })
  } catch {
    // The next command finds it.
  }
}

const logOf = (directory: string): string => join(directory, "infra.db")

/** Who has the lock lives: a process of another container has a number that means nothing here. */
const removeLeftovers = Effect.suspend(() =>
  Effect.forEach(
    leftovers(),
    (directory) =>
      Effect.ignore(
        Effect.scoped(
          Effect.map(acquire(logOf(directory), "alive"), (free) => {
            if (free) remove(directory)
          }),
        ),
      ),
    { discard: true },
  ),
)

/** Directories of ours whose process is gone. */
const leftovers = (): ReadonlyArray<string> => {
  try {
    return readdirSync(tmpdir())
      .filter((name) => name.startsWith(prefix) && !isAlive(Number(name.slice(prefix.length).split("-")[0])))
      .map((name) => join(tmpdir(), name))
      .filter(isOurs)
  } catch {
    return []
  }
}

const isOurs = (path: string): boolean => {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found?.isDirectory() === true && found.uid === process.getuid?.()
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"
  }
}
