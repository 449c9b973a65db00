/** The read models over SQL. */
import type { StorageError } from "@context-engine/core/Errors"
import { type Query, ReadModels, type View } from "@context-engine/core/ReadModels"
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { storageError } from "./connection.js"
import { Database } from "./Database.js"
import * as Tables from "./tables.js"

/** The live rows: up to the last event of the log, since every append writes both. */
export const layer: Layer.Layer<ReadModels, never, SqlClient | Database> = Layer.effect(
  ReadModels,
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const { check, path } = yield* Database
    const run = <A extends object>(text: string, params: ReadonlyArray<unknown> = []) =>
      Effect.zipRight(
        check,
        Effect.mapError(
          sql.unsafe<A>(text, params),
          (error: SqlError): StorageError => storageError(path, error.cause),
        ),
      )
    const view = <Row>(table: Tables.Table): View<Row> => ({
      get: (id) =>
        Effect.map(
          run<{ row: string }>(`SELECT ${table.rowAsJson} AS row FROM "${table.name}" WHERE id = ?`, [id]),
          ([found]) => (found === undefined ? undefined : JSON.parse(found.row)),
        ),
      list: (query) => {
        const { params, text } = select(table, query ?? {})
        return Effect.map(run<{ rows: string }>(text, params), ([found]) => JSON.parse(found?.rows ?? "[]"))
      },
    })
    return ReadModels.of({
      servers: view(Tables.servers),
      services: view(Tables.services),
      routes: view(Tables.routes),
      dependencies: view(Tables.dependencies),
      deployments: view(Tables.deployments),
      infraEvents: view(Tables.infraEvents),
      secrets: view(Tables.secrets),
      rejections: view(Tables.rejections),
      asOf: Effect.map(
        run<{ position: number; recordedAt: string | null }>(
          "SELECT position, recorded_at AS recordedAt FROM events ORDER BY position DESC LIMIT 1",
        ),
        ([last]) => ({ position: last?.position ?? 0, recordedAt: last?.recordedAt ?? null }),
      ),
    })
  }),
)

/** One statement that gives all the rows as one JSON array. */
const select = (table: Tables.Table, query: Query<any>): { text: string; params: ReadonlyArray<unknown> } => {
  const column = (field: string): string => {
    const found = table.columns.find((candidate) => candidate.field === field)
    if (found === undefined) throw new Error(`the view ${table.name} has no column ${field}`)
    return `"${found.column}"`
  }
  const params: Array<unknown> = []
  const conditions: Array<string> = []
  for (const [field, value] of Object.entries(query.where ?? {})) {
    if (value === undefined) continue
    const values = Array.isArray(value) ? value : [value]
    const some = values.filter((one) => one !== null).map((one) => (typeof one === "boolean" ? Number(one) : one))
    const isOne =
      some.length === 1 ? [`${column(field)} = ?`] : [`${column(field)} IN (SELECT value FROM json_each(?))`]
    const isNone = values.length > some.length ? [`${column(field)} IS NULL`] : []
    conditions.push(`(${[...(some.length > 0 ? isOne : []), ...isNone].join(" OR ") || "0"})`)
    if (some.length > 0) params.push(some.length === 1 ? some[0] : JSON.stringify(some))
  }
  if (query.from !== undefined) {
    conditions.push(`${column(query.from.column)} >= ?`)
    params.push(query.from.value)
  }
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`
  const direction = query.order?.descending ? " DESC" : ""
  const order = query.order === undefined ? table.order : `${column(query.order.by)}${direction}, id${direction}`
  const limit = query.limit === undefined ? "" : ` LIMIT ${Math.trunc(query.limit)}`
  const rows = `SELECT ${table.rowAsJson} AS row FROM "${table.name}"${where} ORDER BY ${order}${limit}`
  // The rows are JSON already: joining them costs less than parsing them once more for json_group_array.
  return { text: `SELECT '[' || coalesce(group_concat(row), '') || ']' AS rows FROM (${rows})`, params }
}
