/** The schema of a file must be exactly that of a log: a trigger or view more could change what is written or read. */
import * as Context from "effect/Context"
import { type Connection, NativeConnection } from "./connection.js"
import { migrations } from "./schema.js"
import { tables } from "./tables.js"

/**
 * What a program that uses this library keeps in the file beside the log, as the statements that made it (`CREATE TABLE …`).
 * It is declared by the program and not in the file, which whoever adds a trigger to the file could change too.
 */
export class OwnSchema extends Context.Reference<OwnSchema>()("@context-engine/store/OwnSchema", {
  defaultValue: (): ReadonlyArray<string> => [],
}) {}

/** Something of the schema that is not as it should be. */
export interface SchemaFinding {
  readonly kind: "trigger" | "schema"
  readonly message: string
}

interface SchemaObject {
  readonly type: string
  readonly name: string
  readonly table: string
  readonly sql: string
}

/** Compares what a file holds with what its version of the schema makes. Reads only: the schema, and the tables that have one row. */
export const checkSchema = (connection: Connection, own: ReadonlyArray<string> = []): ReadonlyArray<SchemaFinding> => {
  const [version] = connection.prepare("SELECT user_version FROM pragma_user_version").get()
  const expected = new Map(reference(version, own).map((object) => [keyOf(object), object]))
  const renewed = tablesToRenew(connection)
  const found = new Map(objectsOf(connection).map((object) => [keyOf(object), object]))
  const findings: Array<SchemaFinding> = []
  for (const [key, object] of found) {
    const same = expected.get(key)
    if (same === undefined) {
      if (!isKnown(object) && !isOf(renewed, object)) findings.push(finding(object, extra(object)))
    } else if (!isOf(renewed, object) && (squeeze(same.sql) !== squeeze(object.sql) || same.table !== object.table)) {
      findings.push(finding(object, `${called(object)} is not as it was made`))
    }
  }
  for (const [key, object] of expected) {
    if (!found.has(key) && !isOf(renewed, object)) findings.push(finding(object, missing(object)))
  }
  return findings.length > 0 ? findings : strangeRows(connection)
}

/** The tables of one row, which every command reads: whatever else is there was not written by a program of ours. */
const singles: ReadonlyArray<readonly [table: string, isWell: string]> = [
  [
    "sync",
    `CASE WHEN json_valid(unknown) THEN json_type(unknown) = 'array' ELSE 0 END
     AND CASE WHEN error IS NULL THEN 1 WHEN json_valid(error) THEN json_type(error, '$.reason') IS 'text'
       AND json_type(error, '$.message') IS 'text' AND json_type(error, '$.at') IS 'text' ELSE 0 END`,
  ],
  ["checkpoint", "position >= 0"],
]

const strangeRows = (connection: Connection): ReadonlyArray<SchemaFinding> =>
  singles.flatMap(([table, isWell]) => {
    const exists = connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(table)
    if (exists === undefined) return []
    const [rows, well] = connection.prepare(`SELECT count(*), coalesce(sum(${isWell}), 0) FROM ${table}`).get()
    if (rows === 1 && well === 1) return []
    const message =
      rows === 1
        ? `the row of the table ${table} is not as a log has it`
        : `the table ${table} has ${rows} rows, where one belongs`
    return [{ kind: "schema", message }]
  })

const finding = (object: SchemaObject, message: string): SchemaFinding => ({
  kind: object.type === "trigger" ? "trigger" : "schema",
  message,
})

const called = ({ name, type }: SchemaObject): string => `the ${type} ${name}`

const extra = (object: SchemaObject): string => {
  const about = `${called(object)}${object.table === object.name ? "" : ` of ${object.table}`} is not of this log`
  return object.type === "trigger" || object.type === "view"
    ? `${about}: it could change what is written or read`
    : about
}

const missing = (object: SchemaObject): string =>
  object.type === "trigger"
    ? `${called(object)} is missing: the file no longer refuses what it should`
    : `${called(object)} is missing`

const keyOf = ({ name, type }: SchemaObject): string => `${type} ${name}`

/** A statement as it is compared: white space says nothing. */
export const squeeze = (sql: string): string => sql.replace(/\s+/g, " ").trim()

const objectsOf = (connection: Connection): ReadonlyArray<SchemaObject> =>
  connection
    .prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema")
    .all()
    .map(([type, name, table, sql]) => ({ type, name, table, sql }))

const references = new Map<string, ReadonlyArray<SchemaObject>>()

/** What the migrations up to a version make of an empty file. */
const reference = (version: number, own: ReadonlyArray<string>): ReadonlyArray<SchemaObject> => {
  const key = JSON.stringify([version, own])
  const known = references.get(key)
  if (known !== undefined) return known
  const connection = new NativeConnection(":memory:", 0, "")
  try {
    for (const migration of migrations.slice(0, version)) connection.exec(migration)
    for (const statement of own) connection.exec(statement)
    const objects = objectsOf(connection)
    references.set(key, objects)
    return objects
  } finally {
    connection.close()
  }
}

/** The tables of rows that the next command builds anew, because they are of another version than this program's. */
const tablesToRenew = (connection: Connection): ReadonlySet<string> => {
  const stored = new Map<string, number>(connection.prepare("SELECT name, version FROM projections").all() as never)
  return new Set(tables.filter(({ name, version }) => stored.get(name) !== version).map(({ name }) => name))
}

/** A table of rows, or an index of one: never a trigger, which a rebuild would take away but which acts until then. */
const isOf = (renewed: ReadonlySet<string>, { table, type }: SchemaObject): boolean =>
  renewed.has(table) && (type === "table" || type === "index")

/** litestream keeps these two in the file that it copies (https://litestream.io/how-it-works/). */
const litestream = [
  "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
  "CREATE TABLE _litestream_lock (id INTEGER)",
]
const doubles = new Set(tables.map(({ name }) => `${name}__new`))

/** What is no part of a new file and may be there all the same. */
const isKnown = ({ name, sql, type }: SchemaObject): boolean => {
  // SQLite makes it for what the text of its table says, and that is compared.
  if (type === "index") return sql === ""
  if (type !== "table") return false
  // A rebuild that was cut off left it; the next one throws it away.
  return internal.test(name) || doubles.has(name) || litestream.includes(squeeze(sql))
}

/** SQLite's and libSQL's own: no statement of ours reads one. */
const internal = /^(?:sqlite_(?:sequence|stat[134])|libsql_(?:wasm_func_table|vector_meta_shadow))$/
