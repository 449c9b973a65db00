/** The log and its read models in memory: for tests, and for trying things out. Nothing survives the process. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import { storedJson } from "../CanonicalJson.js"
import { Commands } from "../Commands.js"
import { DeployLogs } from "../DeployLogs.js"
import { lift } from "../domain/Upcasts.js"
import { UniqueViolation, VersionConflict } from "../Errors.js"
import type { Recorded } from "../Event.js"
import { type AppendOptions, EventLog, type ReadOptions, type StreamAppend } from "../EventLog.js"
import { type Cut, cutOf, effectiveTimes, statedBy, wholeUntil } from "../effectiveTime.js"
import { Fold, findClash } from "../Fold.js"
import type { Projection } from "../Projection.js"
import { ReadModels } from "../ReadModels.js"
import { projections as allViews } from "../views/all.js"

/** A log in memory and its views, with the promises of the real one: all of an append or nothing of it. */
export const layerMemory = (
  projections: ReadonlyArray<Projection> = allViews,
): Layer.Layer<EventLog | ReadModels | Commands | DeployLogs> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const memory = new Memory(projections)
      const hub = yield* PubSub.unbounded<Recorded>()
      const log = EventLog.of({
        append: (appends, options) =>
          Effect.flatMap(DateTime.now, (now) => memory.append(appends, DateTime.formatIso(now), options)).pipe(
            Effect.tap((events) => PubSub.publishAll(hub, events)),
          ),
        ready: Effect.void,
        obstacle: Effect.succeed(null),
        read: (stream, options) => Effect.sync(() => memory.read(options).filter((event) => event.stream === stream)),
        readAll: (options) => Stream.suspend(() => Stream.fromIterable(memory.read(options))),
        head: Effect.sync(() => memory.events.length),
        rebases: Effect.succeed(0),
        positionAt: (instant) => Effect.sync(() => memory.events.filter((event) => event.recordedAt <= instant).length),
        wholeUntil: (position) => Effect.sync(() => wholeUntil(position, (at) => memory.unitOf(at))),
        cutAt: (instant) => Effect.sync(() => memory.cutAt(instant)),
        believedAt: () => Effect.succeed(new Map()),
        now: Clock.currentTimeMillis,
        machineNames: Effect.succeed(new Map()),
        machinesShown: Effect.succeed(new Map()),
        changes: Stream.fromPubSub(hub),
      })
      const models = Layer.succeed(ReadModels, memory.fold.readModels)
      return Commands.layer.pipe(
        Layer.provideMerge(Layer.merge(Layer.succeed(EventLog, log), models)),
        Layer.merge(Layer.sync(DeployLogs, deployLogs)),
      )
    }),
  )

const deployLogs = () => {
  const texts = new Map<string, string>()
  return DeployLogs.of({
    write: (id) =>
      Effect.sync(() => {
        texts.set(id, "")
        return (text) => Effect.sync(() => void texts.set(id, texts.get(id) + text))
      }),
    read: (id) => Effect.sync(() => texts.get(id)),
  })
}

class Memory {
  readonly events: Array<Recorded> = []
  readonly fold: Fold

  constructor(readonly projections: ReadonlyArray<Projection>) {
    this.fold = new Fold(projections)
  }

  read(options: ReadOptions = {}): ReadonlyArray<Recorded> {
    return this.events.slice(options.after ?? 0, options.until).filter(({ position }) => !options.skip?.has(position))
  }

  unitOf(position: number): string | undefined {
    const event = this.events[position - 1]
    return event && statedBy(event, false).unit
  }

  cutAt(instant: string): Cut {
    const happened = effectiveTimes(this.events.map((event) => statedBy(event, false)))
    return cutOf(this.events.map(({ position }) => ({ position, late: (happened.get(position)?.at ?? "") > instant })))
  }

  append(
    appends: ReadonlyArray<StreamAppend>,
    recordedAt: string,
    options: AppendOptions = {},
  ): Effect.Effect<ReadonlyArray<Recorded>, VersionConflict | UniqueViolation> {
    const actual = this.events.length
    if (options.head !== undefined && options.head !== actual) {
      return new VersionConflict({ stream: "the log", expected: options.head, actual })
    }
    const recorded: Array<Recorded> = []
    for (const { events, expected, stream } of appends) {
      const version = [...this.events, ...recorded].filter((event) => event.stream === stream).length
      if (expected !== "any" && expected !== version) return new VersionConflict({ stream, expected, actual: version })
      for (const [index, event] of events.entries()) {
        const position = actual + recorded.length + 1
        const place = { stream, position, version: version + index + 1, recordedAt, hash: "", signature: null }
        // As it would come back from a file: what is built in one order is read in another.
        const stored = { data: JSON.parse(storedJson(event.data)), meta: JSON.parse(storedJson(event.meta)) }
        recorded.push(lift({ ...event, ...place, ...stored }))
      }
    }
    return this.#commit(recorded)
  }

  /** Folds the events in, or, where a unique key would break, puts every view back as it was. */
  #commit(recorded: ReadonlyArray<Recorded>): Effect.Effect<ReadonlyArray<Recorded>, UniqueViolation> {
    const before = new Map([...this.fold.tables].map(([name, rows]) => [name, new Map(rows)]))
    const asOf = this.fold.asOf
    for (const event of recorded) this.fold.apply(event)
    for (const projection of this.projections) {
      const columns = findClash(projection, this.fold.rows(projection))
      if (columns === undefined) continue
      for (const [name, rows] of before) this.fold.tables.set(name, rows)
      this.fold.asOf = asOf
      return new UniqueViolation({ view: projection.name, columns })
    }
    this.events.push(...recorded)
    return Effect.succeed(recorded)
  }
}
