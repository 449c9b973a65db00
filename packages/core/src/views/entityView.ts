/** The fold that all registry views share: the fields of the entity, an id, two times, and what facts add. */
import { idOf } from "../Aggregate.js"
import type { Entity } from "../domain/Entity.js"
import type { Recorded } from "../Event.js"
import type { Projection } from "../Projection.js"

/** What every registry row has beside its fields. Times are ISO 8601 in UTC. */
export interface EntityRow {
  readonly id: string
  readonly createdAt: string
  readonly updatedAt: string
}

/** A view of an entity. `initial` gives the columns that only facts fill; `onFact` folds them. */
export const entityView = <N extends string, A, Extra extends object>(options: {
  readonly name: string
  readonly version: number
  readonly entity: Entity<N, A, any>
  readonly stream: string
  readonly unique: Projection<A & Extra & EntityRow>["unique"]
  readonly initial: Extra
  readonly onFact: (row: A & Extra & EntityRow, event: Recorded<any>) => A & Extra & EntityRow
  /** What else the row keeps of an event that set its fields: who it was, for example. */
  readonly onFields?: (row: A & Extra & EntityRow, event: Recorded<any>) => A & Extra & EntityRow
}): Projection<A & Extra & EntityRow> => {
  type Row = A & Extra & EntityRow
  const { entity } = options
  const prefix = `${options.stream}-`
  const mine = new Set(["Added", "Updated", "Renamed", "Removed"].map((suffix) => `${entity.entity}${suffix}`))
  return {
    name: options.name,
    version: options.version,
    unique: options.unique,
    key: (event) => (event.stream.startsWith(prefix) ? idOf(event.stream) : undefined),
    evolve: (row, event) => {
      if (!mine.has(event.type)) return row === undefined ? undefined : options.onFact(row, event)
      const fields = entity.evolve(row, event)
      if (fields === undefined) return undefined
      const createdAt = row?.createdAt ?? event.occurredAt
      const id = row?.id ?? idOf(event.stream)
      // The first spread only sets the order of the columns: what was configured comes first.
      const next = {
        id,
        ...fields,
        ...options.initial,
        ...row,
        ...fields,
        createdAt,
        updatedAt: event.occurredAt,
      } as Row
      return options.onFields?.(next, event) ?? next
    },
  }
}
