/**
 * What every registered thing has in common: it is added, changed, renamed and removed.
 *
 * Servers, services, routes, dependencies, secrets and timeline entries differ in their fields only, so the difference is
 * data: `Entity.make` gives the events and the decider for a set of fields.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Aggregate } from "../Aggregate.js"
import { canonicalJson } from "../CanonicalJson.js"
import { NotFound } from "../Errors.js"
import * as Event from "../Event.js"

/** What a person may ask of a registered thing. */
export type EntityCommand<A> =
  | { readonly _tag: "Add"; readonly data: A }
  | { readonly _tag: "Update"; readonly changes: Partial<A> }
  | { readonly _tag: "Rename"; readonly to: string }
  | { readonly _tag: "Remove" }

/** The events of an entity named `N` with fields `A`. `name` is what the thing was called at that time. */
export type EntityEvent<N extends string, A> =
  | Event.Event<`${N}Added`, A>
  | Event.Event<`${N}Updated`, { readonly name: string; readonly changes: Partial<A> }>
  | Event.Event<`${N}Renamed`, { readonly from: string; readonly to: string }>
  | Event.Event<`${N}Removed`, { readonly name: string }>

/** A kind of thing in the registry. */
export interface Entity<N extends string, A, I> {
  readonly entity: N
  /** Decodes what a frontend was given: fields may be left out, defaults come in, nonsense is refused. */
  readonly input: Schema.Schema<A, I>
  /** Decodes a change: any subset of the fields. */
  readonly patch: Schema.Schema<Partial<A>>
  /** The names of its fields, in the order in which they are declared and shown. */
  readonly fields: ReadonlyArray<string>
  /** What people call it. */
  readonly label: (data: A) => string
  readonly definitions: ReadonlyArray<Event.Definition<string, any>>
  readonly aggregate: Aggregate<A | undefined, EntityCommand<A>, EntityEvent<N, A>, NotFound>
  /** The fields after an event; `undefined` once removed, or before it was added. */
  readonly evolve: (data: A | undefined, event: Event.Event) => A | undefined
}

/**
 * Makes a kind of thing from its fields. `stream` is the prefix of its streams. A value of one of `tellsWho` also says whose it is:
 * given by another it is a change, though it reads the same.
 */
export const make = <const N extends string, F extends Schema.Struct.Fields>(options: {
  readonly entity: N
  readonly stream: string
  readonly fields: F
  readonly label: (data: Schema.Struct.Type<NoInfer<F>>) => string
  readonly tellsWho?: ReadonlyArray<string>
}): Entity<N, Schema.Struct.Type<F>, Schema.Struct.Encoded<F>> => {
  type A = Schema.Struct.Type<F>
  const { entity, label, tellsWho = [] } = options
  const input = Schema.Struct(options.fields) as unknown as Schema.Schema<A, Schema.Struct.Encoded<F>>
  const data = Schema.typeSchema(input)
  const patch = Schema.partialWith(data, { exact: true }) as unknown as Schema.Schema<Partial<A>>
  const named = Schema.Struct({ name: Schema.String })
  const definitions = [
    Event.define(`${entity}Added`, 1, data),
    Event.define(`${entity}Updated`, 1, Schema.Struct({ name: Schema.String, changes: patch })),
    Event.define(`${entity}Renamed`, 1, Schema.Struct({ from: Schema.String, to: Schema.String })),
    Event.define(`${entity}Removed`, 1, named),
  ]
  const evolve = evolveEntity<A>(entity)
  const decide = decideEntity<N, A>(entity, label, tellsWho)
  return {
    entity,
    input,
    patch,
    fields: Object.keys(options.fields),
    label,
    definitions,
    evolve,
    aggregate: { name: options.stream, initial: undefined, decide, evolve },
  }
}

const evolveEntity =
  <A>(entity: string) =>
  (data: A | undefined, event: Event.Event): A | undefined => {
    const body = event.data as any
    switch (event.type) {
      case `${entity}Added`:
        return body
      case `${entity}Updated`:
        return data === undefined ? undefined : { ...data, ...body.changes }
      case `${entity}Renamed`:
        return data === undefined ? undefined : { ...data, name: body.to }
      case `${entity}Removed`:
        return undefined
      default:
        return data
    }
  }

const decideEntity =
  <N extends string, A>(entity: N, label: (data: A) => string, tellsWho: ReadonlyArray<string>) =>
  (command: EntityCommand<A>, data: A | undefined): Either.Either<ReadonlyArray<EntityEvent<N, A>>, NotFound> => {
    const events = (type: string, body: unknown) =>
      Either.right([{ type: `${entity}${type}`, data: body } as EntityEvent<N, A>])
    if (command._tag === "Add") return events("Added", command.data)
    if (data === undefined) {
      return Either.left(new NotFound({ entity: entity.toLowerCase(), name: "(removed)", suggestions: [] }))
    }
    const name = label(data)
    switch (command._tag) {
      case "Update": {
        const changes = difference(data, command.changes, tellsWho)
        return Object.keys(changes).length === 0 ? Either.right([]) : events("Updated", { name, changes })
      }
      case "Rename":
        return command.to === name ? Either.right([]) : events("Renamed", { from: name, to: command.to })
      case "Remove":
        return events("Removed", { name })
    }
  }

/** The part of a change that changes something. The order of a value's members is no part of it. */
const difference = <A>(data: A, changes: Partial<A>, tellsWho: ReadonlyArray<string>): Partial<A> =>
  Object.fromEntries(
    Object.entries(changes as object).filter(
      ([key, value]) =>
        value !== undefined &&
        ((value === true && tellsWho.includes(key)) || canonicalJson(value) !== canonicalJson((data as any)[key])),
    ),
  ) as Partial<A>
