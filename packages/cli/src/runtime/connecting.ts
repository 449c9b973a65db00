/** Behind `sync connect`: the first synchronisation, of which a newcomer may come back with a wish to be enrolled. */
import { Machines } from "@context-engine/core/services/Machines"
import { Sync, type SyncOptions } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import type { Waiting } from "../render/sync.js"
import { type LogOptions, syncMode } from "./log.js"
import { enrolment } from "./machines.js"
import { runAlone } from "./store.js"

/** Synchronises for the first time, with the code of an invite if there is one. */
export const connect = (
  options: LogOptions,
  invite: string | undefined,
  onProgress: NonNullable<SyncOptions["onProgress"]>,
) => {
  const first = Effect.gen(function* () {
    const sync = yield* Sync
    const wanted = { onProgress, wait: true, ...(invite !== undefined && { invite }) }
    return yield* Effect.catchIf(
      sync.now(wanted),
      // With an invite it was to be enrolled at once.
      (error) => error.reason === "not-enrolled" && invite === undefined,
      (error) => Effect.flatMap(waiting, (found) => (found === undefined ? Effect.fail(error) : Effect.succeed(found))),
    )
  })
  if (syncMode() !== "remote") return runAlone(options, enrolment(options), first)
  return Effect.flatMap(
    Effect.promise(() => import("./remote.js")),
    ({ runRemote }) => runRemote(options, enrolment(options), first),
  )
}

/** This machine, where it has asked to be enrolled. */
const waiting = Effect.gen(function* () {
  const { machines } = yield* (yield* Machines).list
  const own = machines.find(({ here, status }) => here && status === "waiting")
  if (own === undefined) return undefined
  const { confirmed } = yield* (yield* Sync).status
  return { waiting: true, name: own.name, fingerprint: own.fingerprint, confirmed } satisfies Waiting
})
