/** The kept address of the shared log. */
import { endpointOf, removeEndpoint, saveEndpoint } from "@context-engine/store/sync/config"
import { acquireWhenFree } from "@context-engine/store/sync/lock"
import * as Effect from "effect/Effect"
import { endpointFile } from "./log.js"

/** Checks and keeps an address with its token; an empty one is none. */
export const save = (url: string, token: string) =>
  Effect.flatMap(endpointOf("url", url, token || undefined), (endpoint) => saveEndpoint(endpointFile(), endpoint))

/** Forgets it. */
export const forget = Effect.suspend(() => removeEndpoint(endpointFile()))

/** Waits until a watcher of the log has noticed: it would make contact again. One that has its address from the environment stays. */
export const unwatched = (path: string) =>
  process.env.TURSO_URL
    ? Effect.void
    : Effect.timeoutOption(Effect.scoped(acquireWhenFree(path, "watch", "50 millis")), "15 seconds")
