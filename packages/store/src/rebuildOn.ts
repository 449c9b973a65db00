/** A rebuild from its first step to its last, in strides that let others have their turn. */
import type { StorageError } from "@context-engine/core/Errors"
import type { Progress } from "@context-engine/core/services/Audit"
import type { RebuildReport } from "@context-engine/core/services/Maintenance"
import * as Effect from "effect/Effect"
import { type NativeConnection, storageError } from "./connection.js"
import { begin, catchUp, type Doubles, drop, swap } from "./rebuild.js"
import { readHead } from "./standing.js"

/** How many events are folded in one transaction: others get their turn between two of them. */
const stride = 1_000

/** Folds the whole log into new tables and puts them in the place of the live ones, on a connection of its own. */
export const rebuildOn = (
  connection: NativeConnection,
  onProgress?: (progress: Progress) => Effect.Effect<void>,
): Effect.Effect<RebuildReport, StorageError> =>
  Effect.gen(function* () {
    const started = performance.now()
    const doubles = yield* attempt(connection, () => connection.transact(begin))
    return yield* fill(connection, doubles, onProgress).pipe(
      Effect.zipRight(attempt(connection, () => connection.transact((c) => swap(c, doubles)))),
      Effect.map((done) => ({ ...done, duration: (performance.now() - started) / 1000 })),
      Effect.onExit((exit) =>
        exit._tag === "Success" ? Effect.void : Effect.ignore(attempt(connection, () => connection.transact(drop))),
      ),
    )
  })

/** Folds until little is left, so that the last step, which keeps writers waiting, is short. */
const fill = (
  connection: NativeConnection,
  doubles: Doubles,
  onProgress?: (progress: Progress) => Effect.Effect<void>,
): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    while (true) {
      const left = yield* attempt(connection, () =>
        connection.transact((c) => {
          catchUp(c, doubles, stride)
          return readHead(c).position - doubles.position
        }),
      )
      yield* onProgress?.({ done: doubles.position, total: doubles.position + left }) ?? Effect.void
      if (left < stride) return
      // Timers and sockets get their turn, too.
      yield* Effect.sleep(0)
    }
  })

const attempt = <A>(connection: NativeConnection, body: () => A): Effect.Effect<A, StorageError> =>
  Effect.try({ try: body, catch: (cause) => storageError(connection.path, cause) })
