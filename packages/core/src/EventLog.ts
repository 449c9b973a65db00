/** Port: the one append-only log. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { StorageError, UniqueViolation, VersionConflict } from "./Errors.js"
import type { Meta, Recorded } from "./Event.js"
import type { Cut } from "./effectiveTime.js"

/** An event on its way into the log. `id` (UUIDv7) is its idempotency key: appending it twice is appending it once. */
export interface NewEvent {
  readonly id: string
  readonly type: string
  readonly schema: number
  readonly data: unknown
  readonly meta: Meta
  readonly occurredAt: string
}

/** Events for one stream. `expected` is the version the decision was made on; `"any"` is for facts, which never conflict. */
export interface StreamAppend {
  readonly stream: string
  readonly expected: number | "any"
  readonly events: ReadonlyArray<NewEvent>
}

export interface AppendOptions {
  /**
   * The position the decision was made on, for decisions that looked at more than their own streams. The append is a
   * `VersionConflict` if anything was appended since.
   */
  readonly head?: number
  /** What `rebases` was when the decision was made. A `VersionConflict` if it is another now. */
  readonly rebases?: number
}

export interface ReadOptions {
  /** Only events after this position (`readAll`) or version (`read`). Default 0. */
  readonly after?: number
  /** Only events up to this position. Default: the head when reading began. */
  readonly until?: number
  /** Leaves these positions out. */
  readonly skip?: ReadonlySet<number>
}

/** What keeps everybody on a machine from writing to its log, with what mends it. */
export interface Obstacle {
  readonly reason: Extract<StorageError["reason"], "full" | "unavailable">
  readonly found: string
  readonly fix: string
}

/**
 * The log. One append is one transaction: every event and every row derived from it, or nothing.
 *
 * Events come back in the order of `position`, which is the one global order.
 */
export class EventLog extends Context.Tag("@context-engine/core/EventLog")<
  EventLog,
  {
    /** Appends to one or several streams at once and brings the read models up to them. */
    readonly append: (
      appends: ReadonlyArray<StreamAppend>,
      options?: AppendOptions,
    ) => Effect.Effect<ReadonlyArray<Recorded>, VersionConflict | UniqueViolation | StorageError>
    /**
     * Fails where no append of this machine would be taken, whatever it was. For whoever is about to do something that cannot be
     * taken back, and that has to be told afterwards.
     */
    readonly ready: Effect.Effect<void, StorageError>
    /** What keeps every append from being written, whoever makes it; `null` if nothing does. Cheap enough to be asked all the time. */
    readonly obstacle: Effect.Effect<Obstacle | null, StorageError>
    /** The events of one stream. An unknown stream is an empty one. */
    readonly read: (stream: string, options?: ReadOptions) => Effect.Effect<ReadonlyArray<Recorded>, StorageError>
    /** The whole log in pages, in constant memory. */
    readonly readAll: (options?: ReadOptions) => Stream.Stream<Recorded, StorageError>
    /** The position of the last event; 0 for an empty log. */
    readonly head: Effect.Effect<number, StorageError>
    /**
     * How often events of this machine were put after those of others. Positions and versions that were seen before it
     * changed say nothing any more.
     */
    readonly rebases: Effect.Effect<number, StorageError>
    /** The position of the last event that was recorded here at or before an instant (ISO 8601 UTC); 0 if there is none. */
    readonly positionAt: (instant: string) => Effect.Effect<number, StorageError>
    /** The position itself, or, within what was appended together, that of the last event before it. */
    readonly wholeUntil: (position: number) => Effect.Effect<number, StorageError>
    /** The events that had happened at an instant (ISO 8601 UTC), as far as the clocks can be believed: `effectiveTime`. */
    readonly cutAt: (instant: string) => Effect.Effect<Cut, StorageError>
    /** When events happened whose writers' clocks said something else, by their positions: ISO 8601 UTC. */
    readonly believedAt: (positions: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, string>, StorageError>
    /** The time in milliseconds since 1970: by the shared log's clock, as far as it was measured, else by this machine's. */
    readonly now: Effect.Effect<number, StorageError>
    /** What the machines are called now that are or were enrolled, by the ids of their keys: `Meta.key`. */
    readonly machineNames: Effect.Effect<ReadonlyMap<string, string>, StorageError>
    /** What every machine of the log is called on any screen, also one that only waits: its name and its fingerprint, by the id of its key. */
    readonly machinesShown: Effect.Effect<ReadonlyMap<string, ReadonlyArray<string>>, StorageError>
    /** Everything appended from now on, by this process or another on the same log. */
    readonly changes: Stream.Stream<Recorded, StorageError>
  }
>() {}
