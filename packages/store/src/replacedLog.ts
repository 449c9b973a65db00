/** The log in whose place a backup is put: that the product itself leaves it alone meanwhile, and what is known of it. */
import { existsSync } from "node:fs"
import type { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Measured } from "./clock.js"
import { NativeConnection } from "./connection.js"
import { directoryOf, hasLogs } from "./FileDeployLogs.js"
import { plainPath } from "./files.js"
import { identify } from "./identify.js"
import { rootsOf } from "./memory/LogMemory.js"
import { type KeptRoot, keptWith } from "./memory/roots.js"
import { obstacleAbove, obstacleTo, refuseObstacle } from "./obstacle.js"
import { headText, inUse } from "./replace.js"
import { acquireWhenFree } from "./sync/lock.js"
import { readState } from "./sync/state.js"

/** How long a push in the background may take: it stays for some seconds after the last command. */
const patience = "15 seconds"

/**
 * Waits until no process keeps the log and the shared one together, and lets none begin until the scope is closed: what is pushed and
 * pulled meanwhile would make wrong what is said of the log. By each name that a watcher may know it by. `shared`: one may begin that
 * would be the first.
 */
export const leftAlone = (
  shared: boolean,
  ...names: ReadonlyArray<string>
): Effect.Effect<void, StorageError, Scope.Scope> =>
  Effect.forEach(
    [...new Set(names.map(plainPath))].filter((name) => (shared && existsSync(name)) || existsSync(`${name}-watch`)),
    (name) =>
      Effect.flatMap(Effect.timeoutOption(acquireWhenFree(name, "watch", "50 millis"), patience), (free) =>
        free._tag === "Some" ? Effect.void : inUse(name),
      ),
    { discard: true },
  )

/** Refuses, before anything is done, where what is there may not be replaced. Throws `StorageError`. */
export const refuseObstacles = (
  path: string,
  { backup, named }: { readonly backup: string; readonly named: string },
) => {
  refuseObstacle(existsSync(path) ? obstacleTo(path) : obstacleAbove(path))
  if (hasLogs(backup) || hasLogs(named)) refuseObstacle(obstacleAbove(directoryOf(named)))
}

/** The roots that a person has accepted in the log that is there, and what is remembered of it, where it does not say otherwise. */
export const rootsFor = (
  copy: string,
  there: string,
  { memory, path }: { readonly memory: string | undefined; readonly path: string },
): ReadonlyArray<KeptRoot> => {
  const first = reading(
    copy,
    (connection) => connection.prepare("SELECT hash FROM events WHERE position = 1").get()?.[0],
  )
  const kept = memory === undefined || typeof first !== "string" ? [] : rootsOf(memory, path, first)
  return reading(there, (connection) => keptWith(connection, kept)) ?? kept
}

export const headOf = (there: string): string | undefined =>
  reading(there, (connection) => connection.prepare(headText).get()?.[0] ?? undefined)

/** How wrong this machine's clock was when the log that is there last met the shared one; not known where there is none. */
export const measuredIn = (there: string): Measured | null =>
  reading(there, (connection) => readState(connection).measured) ?? null

/**
 * The log that was set aside, for what was shared of it while a person was asked; not where it is damaged and has something beside it,
 * for whoever opens that changes it.
 */
export const asItWas = (aside: string): string | undefined =>
  ["-wal", "-journal"].some((end) => existsSync(aside + end)) ? undefined : aside

/** How many events of the log that was there were never shared and are not in the backup: they are in no log that is used. */
export const unsharedBeside = (there: string, copy: string): number => {
  const waiting = reading(there, (connection) =>
    connection
      .prepare(
        "SELECT id FROM events WHERE position > (SELECT position FROM sync) AND (SELECT log_id FROM sync) IS NOT NULL",
      )
      .all()
      .map(([id]) => id as string),
  )
  if (waiting === undefined || waiting.length === 0) return 0
  const kept = reading(copy, (connection) =>
    connection
      .prepare("SELECT count(*) FROM events WHERE id IN (SELECT value FROM json_each(?))")
      .get(JSON.stringify(waiting)),
  )
  return waiting.length - (kept?.[0] ?? 0)
}

/** What is found in a log; `undefined` where there is none that can be read. */
export const reading = <A>(path: string, body: (connection: NativeConnection) => A): A | undefined => {
  try {
    return identify(path) === "log" ? using(path, body) : undefined
  } catch {
    return undefined
  }
}

export const using = <A>(path: string, body: (connection: NativeConnection) => A): A => {
  const connection = new NativeConnection(path, 5_000)
  try {
    return body(connection)
  } finally {
    connection.close()
  }
}
