/**
 * Old shapes of events, lifted to today's as they are read. What is stored stays as it was written.
 *
 * The upcasts of a type stand in order: the first lifts shape 1 to shape 2, and so on. Each is pure, never edited once it is
 * released, and has a fixture of the shape it lifts.
 */
import type { Definition, Recorded } from "../Event.js"
import { definitions } from "./Events.js"
import { keepKnown } from "./known.js"
import { InertAcknowledged, RootEstablished } from "./Machine.js"

export type Upcast = (data: any) => unknown

export type Upcasts = ReadonlyMap<string, ReadonlyArray<Upcast>>

/** The upcasts of this version. */
export const upcasts: Upcasts = new Map<string, ReadonlyArray<Upcast>>([
  [RootEstablished.type, [(data) => ({ ...data, roots: null })]],
  // The first shape did not say which places it covers, so it covers none, and an admin looks once more.
  [InertAcknowledged.type, [(data) => ({ ...data, places: "" })]],
])

/**
 * The event in the shape this version knows, and with nothing else in it. One of a shape that only a later version knows gets a
 * type that nothing folds (`ServerAdded@7`), so that it is kept, counted and shown raw instead of being misread.
 */
export const lift = (
  event: Recorded,
  known: ReadonlyMap<string, Known> = definitions,
  table: Upcasts = upcasts,
): Recorded => {
  const definition = known.get(event.type)
  if (definition === undefined) return event
  const { schema } = definition
  if (event.schema > schema) return { ...event, type: `${event.type}@${event.schema}` }
  const steps = table.get(event.type)?.slice(event.schema - 1) ?? []
  const data = keeperOf(definition)(steps.reduce((data, step) => step(data), event.data))
  return schema === event.schema && data === event.data ? event : { ...event, schema, data }
}

type Known = Pick<Definition<string, any>, "schema" | "data">

const keepers = new WeakMap<Known, (data: unknown) => unknown>()

const keeperOf = (definition: Known) => {
  const known = keepers.get(definition)
  if (known !== undefined) return known
  const made = keepKnown(definition.data)
  keepers.set(definition, made)
  return made
}
