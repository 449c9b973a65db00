/** Synchronisation where a person has said yes beforehand. */
import type { StorageError, SyncError } from "@context-engine/core/Errors"
import { Sync, type SyncOptions, type SyncReport } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"

/** As somebody does it who says yes where two histories are to become one. */
export const nowOrJoin = (options: SyncOptions = {}): Effect.Effect<SyncReport, SyncError | StorageError, Sync> =>
  Effect.flatMap(Sync, (service) =>
    Effect.catchIf(
      service.now(options),
      ({ reason }) => reason === "to-merge",
      () => service.join(options),
    ),
  )
