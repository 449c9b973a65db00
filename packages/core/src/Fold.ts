/**
 * Read models in memory: what `--at`, rebuilds, audits and tests fold events into.
 *
 * It is the same fold that fills the tables, without the tables.
 */
import * as Effect from "effect/Effect"
import type { Recorded } from "./Event.js"
import { type Projection, uniqueValue } from "./Projection.js"
import type { AsOf, Query, ReadModels, View } from "./ReadModels.js"
import { dependencies } from "./views/dependencies.js"
import { deployments } from "./views/deployments.js"
import { infraEvents } from "./views/infraEvents.js"
import { rejections } from "./views/rejections.js"
import { routes } from "./views/routes.js"
import { secrets } from "./views/secrets.js"
import { servers } from "./views/servers.js"
import { services } from "./views/services.js"

/** The rows of one view, by id. */
export type Rows = Map<string, object>

/** Views while events are folded into them. */
export class Fold {
  readonly tables = new Map<string, Rows>()
  asOf: AsOf = { position: 0, recordedAt: null }

  constructor(readonly projections: ReadonlyArray<Projection>) {
    for (const { name } of projections) this.tables.set(name, new Map())
  }

  /** Folds one event into every view it concerns. */
  apply(event: Recorded): void {
    for (const projection of this.projections) {
      const key = projection.key(event)
      if (key === undefined) continue
      const rows = this.rows(projection)
      const row = projection.evolve(rows.get(key), event)
      if (row === undefined) rows.delete(key)
      else rows.set(key, row)
    }
    this.asOf = { position: event.position, recordedAt: event.recordedAt }
  }

  /** The same rows, to be folded on apart from these. */
  copy(): Fold {
    const copy = new Fold(this.projections)
    for (const [name, rows] of this.tables) copy.tables.set(name, new Map(rows))
    copy.asOf = this.asOf
    return copy
  }

  rows(projection: { readonly name: string }): Rows {
    return this.tables.get(projection.name) as Rows
  }

  /** The rows as a service, to be asked as the live ones are. */
  get readModels(): ReadModels["Type"] {
    return {
      servers: view(this, servers),
      services: view(this, services),
      routes: view(this, routes),
      dependencies: view(this, dependencies),
      deployments: view(this, deployments),
      infraEvents: view(this, infraEvents),
      secrets: view(this, secrets),
      rejections: view(this, rejections),
      asOf: Effect.sync(() => this.asOf),
    }
  }
}

/** The first unique key that two of the rows share, or `undefined`. */
export const findClash = (projection: Projection, rows: Rows): ReadonlyArray<string> | undefined =>
  projection.unique.find((columns) => {
    const values = [...rows.values()].map((row) => uniqueValue(row, columns)).filter((value) => value !== undefined)
    return new Set(values).size < values.length
  })

const view = <Row extends object>(fold: Fold, projection: Projection<Row>): View<Row> => ({
  get: (id) => Effect.sync(() => fold.rows(projection).get(id) as Row | undefined),
  list: (query) =>
    Effect.sync(() => select([...fold.rows(projection).values()] as Array<Row>, projection, query ?? {})),
})

const select = <Row extends object>(rows: Array<Row>, projection: Projection<Row>, query: Query<Row>): Array<Row> => {
  const wanted = Object.entries(query.where ?? {}).filter(([, value]) => value !== undefined)
  const matches = rows.filter(
    (row) =>
      wanted.every(([column, value]) => {
        const actual = (row as Record<string, unknown>)[column]
        return Array.isArray(value) ? value.includes(actual) : actual === value
      }) &&
      (query.from === undefined || isFrom(row[query.from.column], query.from.value)),
  )
  const by = (query.order?.by ?? projection.unique[0]?.[0] ?? "id") as keyof Row
  const sign = query.order?.descending ? -1 : 1
  matches.sort((a, b) => sign * (compare(a[by], b[by]) || compare((a as any).id, (b as any).id)))
  return query.limit === undefined ? matches : matches.slice(0, query.limit)
}

const isFrom = (actual: unknown, value: string | number): boolean =>
  typeof value === "number" ? Number(actual) >= value : String(actual) >= value

const compare = (a: unknown, b: unknown): number => {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return (a as string) < (b as string) ? -1 : 1
}
