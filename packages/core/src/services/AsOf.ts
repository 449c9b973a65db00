/** The past: read models folded up to a moment, which answer as the live ones do. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { InvalidInput, type StorageError } from "../Errors.js"
import type { Recorded } from "../Event.js"
import { EventLog } from "../EventLog.js"
import { type Cut, upTo } from "../effectiveTime.js"
import { Fold } from "../Fold.js"
import { ReadModels } from "../ReadModels.js"
import { isoTime, parseMoment } from "../Time.js"
import { projections } from "../views/all.js"

/** Which past is meant: what had happened at a moment, or what this log had recorded by then. */
export type Clock = "happened" | "recorded"

/** The last event of a past, and when it happened or was recorded, as far as clocks can be believed: ISO 8601 UTC. */
export interface Last {
  readonly position: number
  readonly at: string
}

interface Options {
  /** Default: `happened`. */
  readonly by?: Clock
  /** Told what is the last that is shown, before there is an answer; nothing where no event is. */
  readonly tell?: (last: Last | undefined) => Effect.Effect<void>
  /** What the moment came as, for errors. */
  readonly field?: string
}

/** The read models as of a moment such as `2h`, `2026-11-01T12:00Z` or `1234`. The live log is only read. */
export const layer = (moment: string, options: Options = {}): Layer.Layer<ReadModels, PastError, EventLog> =>
  Layer.effect(
    ReadModels,
    Effect.map(
      Effect.flatMap(EventLog, (log) => foldAt(log, moment, options)),
      (fold) => ReadModels.of(fold.readModels),
    ),
  )

type PastError = InvalidInput | StorageError

const foldAt = (log: EventLog["Type"], moment: string, options: Options): Effect.Effect<Fold, PastError> =>
  Effect.gen(function* () {
    const cut = yield* cutOf(log, moment, options)
    const fold = new Fold(projections)
    let last: Recorded | undefined
    yield* Stream.runForEach(log.readAll(cut), (event) =>
      Effect.sync(() => {
        fold.apply(event)
        last = event
      }),
    )
    if (options.tell !== undefined) yield* options.tell(last && (yield* dated(log, last, options.by)))
    return fold
  })

/** Neither happened later than now, whatever the clock said that it was written by. */
const dated = (log: EventLog["Type"], { occurredAt, position, recordedAt }: Recorded, by: Clock = "happened") =>
  Effect.gen(function* () {
    const now = isoTime(yield* log.now)
    const believed = by === "happened" ? (yield* log.believedAt([position])).get(position) : undefined
    const stated = by === "happened" && occurredAt < recordedAt ? occurredAt : recordedAt
    const [at] = [believed ?? stated, now].sort() as [string, string]
    return { position, at } satisfies Last
  })

/** By so much the clock of who asks may be ahead of this log's. */
const tolerance = 60_000

const beyond = (now: number): string =>
  `is beyond now, which is ${new Date(now).toISOString().slice(0, 16)}Z by this log's clock; leave it out for what there is now`

/** The part of the log that a moment such as `2h`, `2026-11-01T12:00Z` or `1234` means: no command is in it by half. */
export const cutOf = (
  log: EventLog["Type"],
  moment: string,
  { by = "happened", field = by === "happened" ? "at" : "knownAt" }: Options = {},
): Effect.Effect<Cut, PastError> =>
  Effect.gen(function* () {
    const now = yield* log.now
    const parsed = yield* parseMoment(moment, now, field)
    const head = yield* log.head
    if (parsed._tag === "Instant") {
      const ahead = Date.parse(parsed.instant) - now
      if (ahead > tolerance) return yield* new InvalidInput({ field, reason: beyond(now) })
      // Nothing in the log can have happened later than now, whatever a clock said when it was written.
      if (ahead >= 0) return upTo(head)
      if (by === "happened") return yield* log.cutAt(parsed.instant)
      return upTo(yield* log.wholeUntil(yield* log.positionAt(parsed.instant)))
    }
    if (parsed.position <= head) return upTo(yield* log.wholeUntil(parsed.position))
    const reason = `is beyond the end: the log ends at position ${head}`
    return yield* new InvalidInput({ field, reason })
  })
