/** A read model: rows folded from events. */
import type { Event, Recorded } from "./Event.js"

/**
 * One view. A row derives from one stream only, so any stream can be folded again alone; joins happen in queries.
 *
 * Raise `version` whenever `evolve` or the row changes shape: the store then builds the view anew beside the live one.
 */
export interface Projection<Row extends object = any, E extends Event = any> {
  /** The view's name, which is its table's. */
  readonly name: string
  readonly version: number
  /** The keys of which no two rows may share a value. */
  readonly unique: ReadonlyArray<ReadonlyArray<keyof Row & string>>
  /** The id of the row an event touches, or `undefined` if it touches none. */
  readonly key: (event: Recorded<E>) => string | undefined
  /** Whether the row that an event touches is the event's own, under its id: it is there unless another row has that id. */
  readonly own?: (event: Recorded<E>) => boolean
  /** The row after the event; `undefined` means there is no row (any more). Pure, total, ignores unknown types. */
  readonly evolve: (row: Row | undefined, event: Recorded<E>) => Row | undefined
}

/** A column of a unique key, compared as text; rows that have `null` in one are never equal (as in SQL). */
export const uniqueValue = (row: object, columns: ReadonlyArray<string>): string | undefined => {
  const values = columns.map((column) => (row as Record<string, unknown>)[column])
  return values.some((value) => value === null || value === undefined) ? undefined : JSON.stringify(values)
}
