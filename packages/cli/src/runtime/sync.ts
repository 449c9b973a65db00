/** Behind `withSync`: this machine's log and the one that all machines share. */
import { Sync } from "@context-engine/core/services/Sync"
import { readEndpoint } from "@context-engine/store/sync/config"
import { remoteLog } from "@context-engine/store/sync/http"
import * as SqlSync from "@context-engine/store/sync/SqlSync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { endpointFile, type LogOptions, machineKey } from "./log.js"
import { runAlone } from "./store.js"

/** Where the shared log is, if anything says so. */
export const endpoint = Effect.suspend(() => readEndpoint(process.env, endpointFile()))

/** The shared log, if there is one. */
export const remote = Effect.map(endpoint, (found) => (found === undefined ? {} : { remote: remoteLog(found) }))

export const layer = Layer.unwrapEffect(Effect.map(remote, (found) => SqlSync.layer({ ...machineKey(), ...found })))

export const open = <A>(options: LogOptions, use: (sync: Sync["Type"]) => Effect.Effect<A, unknown>) =>
  runAlone(options, layer, Effect.flatMap(Sync, use))
