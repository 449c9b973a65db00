/** The kept address of the shared log. */
import { endpointOf, removeEndpoint, saveEndpoint } from "@context-engine/store/sync/config"
import * as Effect from "effect/Effect"
import { endpointFile } from "./log.js"

/** Checks and keeps an address with its token; an empty one is none. */
export const save = (url: string, token: string) =>
  Effect.flatMap(endpointOf("url", url, token || undefined), (endpoint) => saveEndpoint(endpointFile(), endpoint))

/** Forgets it. */
export const forget = Effect.suspend(() => removeEndpoint(endpointFile()))
