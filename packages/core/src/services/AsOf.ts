/** The past: read models folded up to a moment, which answer as the live ones do. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { InvalidInput, type StorageError } from "../Errors.js"
import { EventLog } from "../EventLog.js"
import { Fold } from "../Fold.js"
import { ReadModels } from "../ReadModels.js"
import { parseMoment } from "../Time.js"
import { projections } from "../views/all.js"

/** The read models as of a moment such as `2h`, `2026-11-01T12:00Z` or `1234`. The live log is only read. */
export const layer = (moment: string): Layer.Layer<ReadModels, InvalidInput | StorageError, EventLog> =>
  Layer.effect(
    ReadModels,
    Effect.gen(function* () {
      const log = yield* EventLog
      const until = yield* positionOf(log, moment)
      const fold = new Fold(projections)
      yield* Stream.runForEach(log.readAll({ until }), (event) => Effect.sync(() => fold.apply(event)))
      return ReadModels.of(fold.readModels)
    }),
  )

/** The position of the last event at a moment such as `2h`, `2026-11-01T12:00Z` or `1234`, which came as `field`. */
export const positionOf = (
  log: EventLog["Type"],
  moment: string,
  field = "at",
): Effect.Effect<number, InvalidInput | StorageError> =>
  Effect.gen(function* () {
    const parsed = yield* parseMoment(moment, yield* Clock.currentTimeMillis, field)
    if (parsed._tag === "Instant") return yield* log.positionAt(parsed.instant)
    const head = yield* log.head
    if (parsed.position <= head) return parsed.position
    const reason = `the log ends at position ${head}; there is no ${parsed.position} yet`
    return yield* new InvalidInput({ field, reason })
  })
