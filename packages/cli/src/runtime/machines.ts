/** Behind `withMachines`: who may write to the log, as the shared log has it now, and decisions that are shared at once. */
import type { InvalidInput, StorageError, SyncError } from "@context-engine/core/Errors"
import { ReadModels } from "@context-engine/core/ReadModels"
import { Machines } from "@context-engine/core/services/Machines"
import { Sync, type SyncOptions } from "@context-engine/core/services/Sync"
import * as SqlMachines from "@context-engine/store/SqlMachines"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { explain } from "../enrolling.js"
import { progress } from "../terminal.js"
import { Refused } from "../usage.js"
import { machineKey } from "./key.js"
import { hasShared, isShared, type LogOptions, syncMode } from "./log.js"
import { runAlone } from "./store.js"
import { syncLayer } from "./syncLayer.js"

/** Who may write, and how this machine stands to the shared log. */
export interface Enrolment {
  readonly machines: Machines["Type"]
  readonly sync: Sync["Type"]
  /** Whether nothing was ever written to the log. */
  readonly isEmpty: Effect.Effect<boolean, StorageError>
}

export const open = <A>(options: LogOptions, use: (enrolment: Enrolment) => Effect.Effect<A, unknown>) => {
  const isEmpty = Effect.map(ReadModels, ({ asOf }) => Effect.map(asOf, ({ position }) => position === 0))
  const asked = Effect.flatMap(Effect.all({ machines: Machines, sync: Sync, isEmpty }), use).pipe(
    Effect.catchIf(isState, ({ message }) => new Refused({ message })),
  )
  if (syncMode() === "remote") {
    return Effect.flatMap(
      Effect.promise(() => import("./remote.js")),
      ({ runRemote }) => runRemote(options, enrolment(options), asked),
    )
  }
  const way = isShared(options.db) ? shared(options, asked) : hasShared(options.db) ? kept(asked) : asked
  return runAlone(options, enrolment(options), way)
}

/** The services alone: nothing is brought together before or after. */
export const enrolment = (...given: Parameters<typeof syncLayer>) =>
  Layer.merge(SqlMachines.layer(machineKey()), syncLayer(...given))

/** What nobody typed is the state of the log, which refuses: exit status 1. */
const isState = (error: unknown): error is InvalidInput =>
  (error as { readonly _tag?: string })._tag === "InvalidInput" && (error as InvalidInput).field === ""

/**
 * Others' decisions come first, as far as the link allows, and ours are with everybody when the command ends: who waits to be
 * enrolled should not wait for longer, and who is revoked should be at once.
 */
const shared = <A, E, R>(options: LogOptions, asked: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const sync = yield* Sync
    const { asOf } = yield* ReadModels
    const together = (how: SyncOptions) => progress("synchronising")(sync.now({ ...how, wait: true }))
    // Who may write is to be seen also where nothing can be: on a full disk, in a file that is for reading only.
    yield* Effect.catchTag(together({ reading: true }), "SyncError", "StorageError", (error) =>
      isExpected(error) ? Effect.void : explain(`not up to date: ${error.message}`),
    )
    const before = yield* asOf
    const value = yield* asked
    if ((yield* asOf).position === before.position) return value
    const untold = (error: SyncError) =>
      options.waitSync ? error : explain(`done here, and with nobody else yet: ${error.message}`)
    // A machine that has revoked itself may not push any more, and yet everybody has that.
    yield* Effect.catchTag(together({}), "SyncError", (error) =>
      Effect.flatMap(sync.status, ({ pending }) => (pending === 0 ? Effect.void : untold(error))),
    )
    return value
  })

/** With CONTEXT_SYNC=off what is decided stays here, which may not be what is meant: who is revoked goes on elsewhere. */
const kept = <A, E, R>(asked: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { asOf } = yield* ReadModels
    const before = yield* asOf
    const value = yield* asked
    if ((yield* asOf).position !== before.position)
      yield* explain(
        "done here, and with nobody else yet: CONTEXT_SYNC=off; context infra sync now, without that, shares it",
      )
    return value
  })

/** That this machine may not write yet does not keep it from knowing who may. */
const isExpected = ({ reason }: SyncError | StorageError): boolean =>
  reason === "not-enrolled" || reason === "no-root" || reason === "new-root"
