/** The kept address of the shared log. */
import { setting } from "@context-engine/store/setting"
import { readEndpoint, removeEndpoint, saveEndpoint } from "@context-engine/store/sync/config"
import type { Endpoint } from "@context-engine/store/sync/endpoint"
import { acquireWhenFree } from "@context-engine/store/sync/lock"
import * as Effect from "effect/Effect"
import { endpointFile, owner } from "./log.js"

type Db = string | undefined

/** Keeps it for a log. */
export const save = (db: Db, endpoint: Endpoint) => saveEndpoint(endpointFile(), owner(db), endpoint)

/** Forgets that of a log. */
export const forget = (db: Db) => Effect.suspend(() => removeEndpoint(endpointFile(), owner(db)))

/** What is kept for a log, whatever the environment says. */
export const kept = (db: Db) =>
  Effect.suspend(() => Effect.orElseSucceed(readEndpoint({}, endpointFile(), owner(db)), () => undefined))

/** Whether the environment says where the log is shared. */
export const isInEnvironment = (db: Db): boolean => {
  const { defaultPath, path } = owner(db)
  return setting(process.env, "TURSO_URL") !== undefined && path === defaultPath
}

/** Waits until a watcher of the log has noticed: it would make contact again. One that has its address from the environment stays. */
export const unwatched = (db: Db, path: string) =>
  isInEnvironment(db)
    ? Effect.void
    : Effect.timeoutOption(Effect.scoped(acquireWhenFree(path, "watch", "50 millis")), "15 seconds")
