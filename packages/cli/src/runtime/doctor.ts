/** Behind `doctor`: the checks, each of which does without the others. */
import type { SyncError } from "@context-engine/core/Errors"
import { type Diagnosis, diagnose, trouble } from "@context-engine/core/services/Diagnosis"
import { database } from "@context-engine/store/doctor/database"
import { driver } from "@context-engine/store/doctor/driver"
import { keys } from "@context-engine/store/doctor/keys"
import { memory } from "@context-engine/store/doctor/memory"
import { permissions } from "@context-engine/store/doctor/permissions"
import { machines, servers } from "@context-engine/store/doctor/servers"
import { contents, sharedLog, sync } from "@context-engine/store/doctor/sync"
import { writable } from "@context-engine/store/doctor/writable"
import { recall } from "@context-engine/store/memory/LogMemory"
import { readEndpoint } from "@context-engine/store/sync/config"
import { remoteLog } from "@context-engine/store/sync/http"
import type { RemoteLog } from "@context-engine/store/sync/RemoteLog"
import * as Effect from "effect/Effect"
import { node } from "../doctor/node.js"
import { ssh } from "../doctor/ssh.js"
import { machineKey } from "./key.js"
import { databasePath, endpointFile, here, isShared, type LogOptions, memoryDirectory, owner, syncMode } from "./log.js"

/** What is in the shared log. That it does not answer, or has nothing, is told by who asks just that. */
const contentsOf = (remote: RemoteLog["Type"]) =>
  Effect.map(
    Effect.promise(() => import("./remote.js")),
    ({ copied, nextAfter, plainly }) => {
      const there = Effect.flatMap(remote.survey([]), ({ _tag }) =>
        _tag === "Empty" ? Effect.succeed(undefined) : copied,
      )
      return contents(there, (error) => {
        if (!isSyncError(error)) return trouble("log", (error as Error).message)
        return unanswered.has(error.reason) ? undefined : trouble("log", plainly(error), nextAfter(error))
      })
    },
  )

const isSyncError = (error: unknown): error is SyncError => (error as SyncError)._tag === "SyncError"

const unanswered: ReadonlySet<SyncError["reason"]> = new Set(["not-connected", "offline", "unauthorised", "read-only"])

export const examine = (options: LogOptions): Effect.Effect<Diagnosis, unknown> =>
  Effect.gen(function* () {
    const file = yield* databasePath(options.db)
    const mode = syncMode()
    // With the primary alone there is no file to look at, unless one is named.
    const path = mode === "remote" && options.db === undefined ? "" : file
    const ownDirectory = options.db === undefined && !process.env.CONTEXT_DB
    const shared = {
      database: path,
      env: process.env,
      file: endpointFile(),
      mode,
      owner: owner(options.db),
      ...machineKey(),
    }
    const directory = memoryDirectory()
    const isSeen = directory !== undefined && path !== "" && recall(directory, path).remembered !== undefined
    const ofFile =
      path === "" ? [] : [database(path, { isNamed: !ownDirectory, isSeen }), ...(directory === undefined ? [] : [memory(path, { directory })]), permissions(path, { ownDirectory }), writable(path, { isNamed: !ownDirectory })] // biome-ignore format: one list
    // Where there is no file, only the shared log knows how this machine's key stands in it.
    const endpoint =
      path === "" ? yield* Effect.orElseSucceed(readEndpoint(process.env, shared.file, shared.owner), () => undefined) : undefined // biome-ignore format: one line
    return yield* diagnose([
      node(),
      driver,
      ...ofFile,
      keys(path, machineKey().keyPath, { isConnected: isShared(options.db), remote: endpoint && remoteLog(endpoint) }),
      ...(endpoint === undefined ? [] : [yield* contentsOf(remoteLog(endpoint))]),
      sync(shared),
      sharedLog(shared),
      path === ""
        ? ssh(Effect.succeed(undefined), here(), Effect.succeed(undefined))
        : ssh(servers(path), here(), machines(path)),
    ])
  })
