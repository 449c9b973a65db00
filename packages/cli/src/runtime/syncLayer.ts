/** Synchronisation with the shared log, wherever something says that it is. */
import { readEndpoint } from "@context-engine/store/sync/config"
import { remoteLog } from "@context-engine/store/sync/http"
import * as SqlSync from "@context-engine/store/sync/SqlSync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { endpointFile, machineKey } from "./log.js"

export const syncLayer = Layer.unwrapEffect(
  Effect.map(
    Effect.suspend(() => readEndpoint(process.env, endpointFile())),
    (found) => SqlSync.layer({ ...machineKey(), ...(found === undefined ? {} : { remote: remoteLog(found) }) }),
  ),
)
