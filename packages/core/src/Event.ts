/**
 * What an event is: a fact in the past tense, as a plain JSON value.
 *
 * The stored form and the in-memory form are the same, so reading a log back costs one `JSON.parse` and no decoding:
 * an event is checked once, when it is written.
 */
import type * as Schema from "effect/Schema"

/** A JSON value, as it stands in the log. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** An event as a decider makes it and as a fold reads it. */
export interface Event<Type extends string = string, Data = unknown> {
  readonly type: Type
  readonly data: Data
}

/** Who did it, by which door, on which machine, on behalf of which command. Recorded with every event. */
export interface Meta {
  readonly actor: string
  readonly via: "cli" | "http" | "telegram" | "mcp" | "library"
  readonly machine: string
  readonly commandId: string
  readonly cause?: string
  /** How far its writer had the shared log: the position of the last event. Absent where it had none. */
  readonly seen?: number
  /** The id of the key that signed the unit which the event belongs to; absent where nothing is signed. */
  readonly key?: string
  /** The chain of units that the key's machine wrote one after the other: a file has one, and so has a job that keeps none. */
  readonly session?: string
  /** Which unit of the session it is, from 1 on, and the hash of the one before; `""` for the first. */
  readonly number?: number
  readonly previous?: string
  /** How many events the unit has, and, where it is more than one, which of them this is, from 0 on. */
  readonly count?: number
  readonly index?: number
}

/** The envelope: an event at its place in the log. `position` and `version` start at 1 and have no gaps. */
export interface Recorded<E extends Event = Event> {
  readonly position: number
  readonly id: string
  readonly stream: string
  readonly version: number
  readonly type: E["type"]
  readonly schema: number
  readonly data: E["data"]
  readonly meta: Meta
  /** The writer's clock, ISO 8601 in UTC: for people, never for ordering. */
  readonly occurredAt: string
  /** The sequencer's clock; `--at` cuts here. */
  readonly recordedAt: string
  readonly hash: string
  readonly signature: string | null
}

/** What an event that counts for nothing is read as, whatever it says of itself: no fold knows the type. */
export const inertType = "Inert"

/** The definition of one event type: its name, the version of its shape and the schema its data must satisfy. */
export interface Definition<Type extends string, Data> {
  (data: Data): Event<Type, Data>
  readonly type: Type
  readonly schema: number
  readonly data: Schema.Schema<Data>
}

/** The event type a definition describes. */
export type EventOf<D> = D extends Definition<infer Type, infer Data> ? Event<Type, Data> : never

/** Defines an event type. Its schema must not transform: what is stored is what is read. */
export const define = <const Type extends string, Data>(
  type: Type,
  schema: number,
  data: Schema.Schema<Data>,
): Definition<Type, Data> => Object.assign((value: Data) => ({ type, data: value }), { type, schema, data })
