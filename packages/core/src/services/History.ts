/** What changed, when, and by whom: between two moments, or over the life of one thing. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { MachineJoined, membershipTypes } from "../domain/Machine.js"
import { type Ambiguous, InvalidInput, type NotFound, type StorageError } from "../Errors.js"
import { inertType, type Meta, type Recorded } from "../Event.js"
import { EventLog } from "../EventLog.js"
import { type Cut, isIn } from "../effectiveTime.js"
import { Fold, type Rows } from "../Fold.js"
import { projections } from "../views/all.js"
import { infraEvents } from "../views/infraEvents.js"
import { cutOf } from "./AsOf.js"
import { Found, type Meant } from "./history/Found.js"

/** An event that took part in a change: which, where, when, and on whose behalf. */
export interface Cause {
  readonly position: number
  readonly type: string
  /** As far as the clocks can be believed: ISO 8601 UTC. */
  readonly at: string
  /** What its writer said, where that is not believed. */
  readonly statedAt?: string
  readonly actor: Meta["actor"]
  readonly via: Meta["via"]
  /** What the machine is called now whose key signed it; where no machine of this log did, what its host calls itself. */
  readonly machine: Meta["machine"]
  /** The id of that key; absent where no machine of this log signed it. */
  readonly key?: string
}

/** An event about the machines that may write: one enrolled, revoked, renamed, … */
export interface MachineChange extends Cause {
  readonly data: unknown
}

export interface FieldChange {
  readonly field: string
  readonly before: unknown
  readonly after: unknown
}

/** What became of one row of one view. `fields` of an added or removed one are all that were not empty. */
export interface EntityChange {
  readonly view: string
  readonly id: string
  readonly name: string
  readonly kind: "added" | "changed" | "removed"
  readonly fields: ReadonlyArray<FieldChange>
  readonly causes: ReadonlyArray<Cause>
}

export interface Difference {
  readonly from: number
  readonly to: number
  readonly changes: ReadonlyArray<EntityChange>
  /** What became of the machines that may write. They are in no view, and the names in it are those of that time. */
  readonly machines: ReadonlyArray<MachineChange>
  /** What the things are called that the changed fields refer to, by their ids. */
  readonly names: Readonly<Record<string, string>>
}

/** One event in the life of a thing, with what it changed. */
export interface LifeEvent extends Cause {
  /** The stream that it is on, and what has that: `service alpha/api`. Where two things are called alike, with its id. */
  readonly stream: string
  readonly thing: string
  readonly data: unknown
  readonly fields: ReadonlyArray<FieldChange>
}

export class History extends Context.Tag("@context-engine/core/History")<
  History,
  {
    /** What changed between two moments, given as for `--at`. */
    readonly diff: (from: string, to: string) => Effect.Effect<Difference, InvalidInput | StorageError>
    /** Every event of a thing, by any name it ever had, by `server/service`, by its id or the beginning of it, or by its stream. What was removed is found too. */
    readonly life: (name: string) => Effect.Effect<ReadonlyArray<LifeEvent>, NotFound | Ambiguous | StorageError>
  }
>() {
  static readonly layer = Layer.effect(
    History,
    Effect.map(EventLog, (log) =>
      History.of({
        diff: Effect.fn("History.diff")(function* (from: string, to: string) {
          const start = yield* cutOf(log, from, { field: "from" })
          const end = yield* cutOf(log, to, { field: "to" })
          if (isEarlier(end, start)) return yield* new InvalidInput({ field: "from", reason: turned })
          const ends = new Ends(start, end)
          yield* Stream.runForEach(log.readAll({ until: end.until }), (event) => Effect.sync(() => ends.apply(event)))
          const { after, before, causes } = ends.done()
          const changes = after.projections.flatMap(({ name }) =>
            compare(name, before.tables.get(name) as Rows, after.tables.get(name) as Rows, causes),
          )
          const tables = [...before.tables.values(), ...after.tables.values()]
          const told = yield* telling(log, [...changes.flatMap(({ causes }) => causes), ...ends.machines])
          return {
            from: start.until,
            to: end.until,
            changes: changes.map((change) => ({ ...change, causes: change.causes.map(told) })),
            machines: ends.machines.map(told),
            names: referredTo(changes, tables),
          }
        }),
        life: Effect.fn("History.life")(function* (name: string) {
          const found = new Found(name)
          yield* Stream.runForEach(log.readAll(), (event) => Effect.sync(() => found.note(event)))
          found.call(yield* log.machinesShown)
          const meant = yield* found.done
          const lives = yield* Effect.forEach(meant.streams, (stream) => log.read(stream))
          const events = lives.flatMap((events) => tell(events, meant))
          events.sort((x, y) => x.position - y.position)
          return events.map(yield* telling(log, events))
        }),
      }),
    ),
  )
}

const turned = "is later than the other moment: name the earlier one first"

/** Of two parts of the log of which one has all of the other, which has less. */
const isEarlier = (a: Cut, b: Cut): boolean => a.until < b.until || (a.until === b.until && a.skip.size > b.skip.size)

/** The events that say who may write, and how that was said before there were roots. */
const about: ReadonlySet<string> = new Set([...membershipTypes, MachineJoined.type])

/** Folds two parts of one log at once: once for both as long as they are the same. */
class Ends {
  readonly after = new Fold(projections.filter((view) => view !== infraEvents))
  readonly causes = new Causes(this.after.projections)
  readonly machines: Array<MachineChange> = []
  #before: Fold | undefined

  constructor(
    readonly start: Cut,
    readonly end: Cut,
  ) {}

  apply(event: Recorded): void {
    const [wasThere, isThere] = [isIn(this.start, event.position), isIn(this.end, event.position)]
    if (wasThere !== isThere) {
      this.#before ??= this.after.copy()
      // What counts for nothing has changed nothing.
      if (event.type !== inertType) this.causes.note(event)
      if (about.has(event.type)) this.machines.push({ ...causeOf(event), data: event.data })
    }
    if (wasThere) this.#before?.apply(event)
    if (isThere) this.after.apply(event)
  }

  done(): { readonly before: Fold; readonly after: Fold; readonly causes: Causes } {
    return { before: this.#before ?? this.after, after: this.after, causes: this.causes }
  }
}

/** Which events touched which row. */
class Causes {
  readonly #byRow = new Map<string, Array<Cause>>()
  constructor(readonly projections: Fold["projections"]) {}

  note(event: Recorded): void {
    for (const projection of this.projections) {
      const key = projection.key(event)
      if (key === undefined) continue
      const row = `${projection.name} ${key}`
      this.#byRow.set(row, [...(this.#byRow.get(row) ?? []), causeOf(event)])
    }
  }

  of(view: string, id: string): ReadonlyArray<Cause> {
    return this.#byRow.get(`${view} ${id}`) ?? []
  }
}

const causeOf = ({ meta, occurredAt, position, signature, type }: Recorded): Cause => ({
  position,
  type,
  at: occurredAt,
  actor: meta.actor,
  via: meta.via,
  machine: meta.machine,
  ...(meta.key === undefined || signature === null ? {} : { key: meta.key }),
})

/**
 * Dates events by when they happened, as `--at` does, and names the machines that signed them, as they are called now; one that is not
 * enrolled as it is shown wherever it asks to be, for its host name may be another's.
 */
const telling = (log: EventLog["Type"], events: ReadonlyArray<Cause>) =>
  Effect.gen(function* () {
    const times = yield* log.believedAt([...new Set(events.map(({ position }) => position))])
    const names = yield* log.machineNames
    const shown = yield* log.machinesShown
    return <C extends Cause>({ key, ...one }: C) => {
      const at = times.get(one.position)
      const machine = names.get(key ?? "") ?? shown.get(key ?? "")?.[0]
      const dated = at === undefined ? one : { ...one, at, statedAt: one.at }
      return (machine === undefined ? dated : { ...dated, machine, key }) as C
    }
  })

const compare = (view: string, before: Rows, after: Rows, causes: Causes): ReadonlyArray<EntityChange> => {
  const ids = new Set([...before.keys(), ...after.keys()])
  return [...ids].flatMap((id): ReadonlyArray<EntityChange> => {
    const [a, b] = [before.get(id), after.get(id)]
    if (a === b) return []
    const fields = fieldsOf(a, b)
    if (fields.length === 0) return []
    const kind = a === undefined ? "added" : b === undefined ? "removed" : "changed"
    return [{ view, id, name: nameOf(b ?? a, id), kind, fields, causes: causes.of(view, id) }]
  })
}

/** The names of what the fields point to, as it was called last. */
const referredTo = (changes: ReadonlyArray<EntityChange>, tables: ReadonlyArray<Rows>) => {
  const values = changes.flatMap(({ fields }) => fields.flatMap(({ after, before }) => [before, after]))
  const names: Record<string, string> = {}
  for (const id of new Set(values)) {
    const row = typeof id === "string" ? tables.findLast((rows) => rows.has(id))?.get(id) : undefined
    if (row !== undefined) names[id as string] = nameOf(row, id as string)
  }
  return names
}

/** What every row has and nobody wants to read of. */
const routine = new Set(["id", "createdAt", "updatedAt"])

/** The fields that differ. Against nothing, those that are not empty. */
const fieldsOf = (before: object | undefined, after: object | undefined): ReadonlyArray<FieldChange> => {
  const [a, b] = [(before ?? {}) as Record<string, unknown>, (after ?? {}) as Record<string, unknown>]
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((field) => !routine.has(field))
    .map((field) => ({ field, before: a[field] ?? null, after: b[field] ?? null }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))
    .filter((change) => (before !== undefined && after !== undefined ? true : !isEmpty(change.before ?? change.after)))
}

const isEmpty = (value: unknown): boolean =>
  value === null || value === "" || value === false || (Array.isArray(value) && value.length === 0)

const nameOf = (row: object | undefined, id: string): string => {
  const named = (row ?? {}) as Record<string, unknown>
  const { dependsOnExternal, domain, name, path, service, version } = named
  if (typeof name === "string") return name
  if (typeof domain === "string") return `${domain}${path === "/" ? "" : String(path)}`
  if (typeof service === "string") return `${service} ${String(version ?? "").slice(0, 12)}`.trim()
  return typeof dependsOnExternal === "string" ? dependsOnExternal : id
}

/** Those that are meant of the events of one stream, with what each changed in the row it belongs to. */
const tell = (events: ReadonlyArray<Recorded>, { isMeant, labels }: Meant): ReadonlyArray<LifeEvent> => {
  const fold = new Fold(projections.filter((view) => view !== infraEvents))
  return events.flatMap((event) => {
    const owner = fold.projections.find((projection) => projection.key(event) !== undefined)
    const key = owner?.key(event)
    const before = owner && key !== undefined ? fold.rows(owner).get(key) : undefined
    fold.apply(event)
    const after = owner && key !== undefined ? fold.rows(owner).get(key) : undefined
    if (!isMeant(event)) return []
    const { data, stream } = event
    return [{ ...causeOf(event), stream, thing: labels.get(stream) ?? stream, data, fields: fieldsOf(before, after) }]
  })
}
