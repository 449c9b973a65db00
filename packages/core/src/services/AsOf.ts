/** The past: read models folded up to a moment, which answer as the live ones do. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { InvalidInput, type StorageError } from "../Errors.js"
import { EventLog } from "../EventLog.js"
import { Fold } from "../Fold.js"
import { ReadModels } from "../ReadModels.js"
import { type Moment, parseMoment } from "../Time.js"
import { projections } from "../views/all.js"

/** The read models as of a moment such as `2h`, `2026-11-01T12:00Z` or `1234`. The live log is only read. */
export const layer = (moment: string): Layer.Layer<ReadModels, InvalidInput | StorageError, EventLog> =>
  Layer.effect(
    ReadModels,
    Effect.gen(function* () {
      const log = yield* EventLog
      const parsed = yield* parseMoment(moment, yield* Clock.currentTimeMillis)
      const until = yield* positionOf(log, parsed)
      const fold = new Fold(projections)
      yield* Stream.runForEach(log.readAll({ until }), (event) => Effect.sync(() => fold.apply(event)))
      return ReadModels.of(fold.readModels)
    }),
  )

const positionOf = (log: EventLog["Type"], moment: Moment): Effect.Effect<number, InvalidInput | StorageError> =>
  Effect.gen(function* () {
    if (moment._tag === "Instant") return yield* log.positionAt(moment.instant)
    const head = yield* log.head
    if (moment.position <= head) return moment.position
    const reason = `the log ends at position ${head}; there is no ${moment.position} yet`
    return yield* new InvalidInput({ field: "at", reason })
  })
