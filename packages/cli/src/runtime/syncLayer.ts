/** Synchronisation with the shared log, wherever something says that it is. */
import { readEndpoint } from "@context-engine/store/sync/config"
import type { Endpoint } from "@context-engine/store/sync/endpoint"
import { remoteLog } from "@context-engine/store/sync/http"
import * as SqlSync from "@context-engine/store/sync/SqlSync"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { say } from "../terminal.js"
import { machineKey } from "./key.js"
import { databasePath, endpointFile, isShared, type LogOptions, owner, syncMode } from "./log.js"

/** Where the shared log of a log is, if anything says so. */
export const endpoint = (db: string | undefined) =>
  Effect.suspend(() => readEndpoint(process.env, endpointFile(), owner(db)))

/** The shared log itself, if there is one. What is wrong with its address, if anything, is told by who synchronises. */
export const remote = (db: string | undefined) =>
  Effect.suspend(() =>
    isShared(db) ? Effect.orElseSucceed(endpoint(db), () => undefined) : Effect.succeed(undefined),
  ).pipe(Effect.map((found) => found && remoteLog(found)))

/** Synchronisation with it, by way of a replica where that is asked for. `at`: an endpoint that is not kept (yet). */
export const syncLayer = (
  options: LogOptions,
  at: Effect.Effect<Endpoint | undefined, unknown> = endpoint(options.db),
) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const found = yield* at
      const own = { ...machineKey(), keepsNothing: syncMode() === "remote" }
      if (found === undefined) return SqlSync.layer(own)
      const remote = syncMode() === "replica" ? yield* throughReplica(options, found) : remoteLog(found)
      return SqlSync.layer({ ...own, remote })
    }),
  )

const throughReplica = (options: LogOptions, endpoint: Endpoint) =>
  Effect.gen(function* () {
    const directory = `${yield* databasePath(options.db)}-replica`
    const { replicaLog } = yield* Effect.promise(() => import("@context-engine/store/sync/replica/replicaLog"))
    return yield* replicaLog(remoteLog(endpoint), endpoint, { directory, onTrouble: say })
  })
