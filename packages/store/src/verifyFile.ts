/** What a walk along the log does not see of its file: the rows, the schema and the checkpoint. */
import { canonicalJson, storedText } from "@context-engine/core/CanonicalJson"
import type { Connection } from "./connection.js"
import { checkSchema } from "./fileSchema.js"
import { tables } from "./tables.js"
import type { Walk } from "./verify.js"

/** Compares the live tables with the rows that the walk folded. Gives how many rows there are. */
export const compareRows = (connection: Connection, walk: Walk): number => {
  let count = 0
  for (const table of tables) {
    const expected = new Map(walk.fold.rows(table))
    for (const [json] of connection.prepare(`SELECT ${table.rowAsJson} FROM "${table.name}"`).all()) {
      count += 1
      const row = JSON.parse(json)
      const folded = expected.get(row.id)
      expected.delete(row.id)
      const called = `row ${row.name ?? row.title ?? row.domain ?? row.id} of ${table.name}`
      if (folded === undefined) walk.find("row", null, `${called} is in no event`)
      else if (canonicalJson(row) !== canonicalJson(normal(table, folded))) {
        const fields = Object.keys(row).filter(
          (field) => canonicalJson(row[field]) !== canonicalJson((normal(table, folded) as any)[field]),
        )
        walk.find("row", null, `${called} is not what the events say: ${fields.join(", ")}`)
      }
    }
    for (const row of expected.values() as Iterable<any>) {
      walk.find("row", null, `row ${row.name ?? row.title ?? row.domain ?? row.id} of ${table.name} is missing`)
    }
  }
  return count
}

/** A folded row as its table gives it back: the table's fields only, `null` for what is absent. */
const normal = (table: (typeof tables)[number], row: object): object =>
  Object.fromEntries(
    table.columns.map(({ field }) => {
      const value = (row as Record<string, unknown>)[field] ?? null
      return [field, typeof value === "string" ? storedText(value) : value]
    }),
  )

/**
 * What is damaged in the pages of the file, in words; `undefined` if they all hold. `integrity_check` also looks whether every index says
 * what its table does.
 */
export const damageIn = (
  connection: Connection,
  check: "integrity_check" | "quick_check" = "integrity_check",
): string | undefined => {
  const lines = connection.prepare(`PRAGMA ${check}(3)`).all()
  return lines.length === 1 && lines[0][0] === "ok"
    ? undefined
    : `the file is damaged: ${lines.map(([line]) => line).join("; ")}`
}

/** The schema must be that of a log and nothing more, and the checkpoint at the head. */
export const checkGuards = (connection: Connection, walk: Walk, own: ReadonlyArray<string> = []): void => {
  for (const { kind, message } of checkSchema(connection, own)) walk.find(kind, null, message)
  const damage = damageIn(connection)
  if (damage !== undefined) walk.find("damage", null, damage)
  const [checkpoint] = connection.prepare("SELECT position FROM checkpoint").get() ?? [null]
  if (checkpoint !== walk.head.position) {
    walk.find(
      "checkpoint",
      walk.head.position,
      `the rows are those of position ${checkpoint}, but the log ends at ${walk.head.position}`,
    )
  }
}
