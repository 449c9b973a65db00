/**
 * Old shapes of events, lifted to today's as they are read. What is stored stays as it was written.
 *
 * The upcasts of a type stand in order: the first lifts shape 1 to shape 2, and so on. Each is pure, never edited once it is
 * released, and has a fixture of the shape it lifts.
 */
import type { Recorded } from "../Event.js"
import { definitions } from "./Events.js"
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
 * The event in the shape this version knows. One of a shape that only a later version knows gets a type that nothing folds
 * (`ServerAdded@7`), so that it is kept, counted and shown raw instead of being misread.
 */
export const lift = (
  event: Recorded,
  known: ReadonlyMap<string, { readonly schema: number }> = definitions,
  table: Upcasts = upcasts,
): Recorded => {
  const current = known.get(event.type)?.schema
  if (current === undefined || current === event.schema) return event
  if (event.schema > current) return { ...event, type: `${event.type}@${event.schema}` }
  const steps = table.get(event.type)?.slice(event.schema - 1) ?? []
  return { ...event, schema: current, data: steps.reduce((data, step) => step(data), event.data) }
}
