/**
 * Whoever holds the token of a plain server can change the shared log's own tables there: take away the row that names the log,
 * or add a trigger that drops what is pushed. What is needed to put that right, where the events are still those of this log.
 */
import { squeeze } from "../fileSchema.js"
import { columns } from "../record.js"
import { expectedSchema, remoteSchema } from "../schema.js"
import { logId as nameOfLog, type Rows, type Statement } from "./protocol.js"

/** What there is of the two tables, and of what acts on them. */
export const objectsStatement: Statement = {
  sql: `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
    WHERE tbl_name IN ('events', 'log') AND sql IS NOT NULL`,
  args: [],
}

/** The columns of the events that are there. */
export const columnsStatement: Statement = { sql: "SELECT name FROM pragma_table_info('events')", args: [] }

/** The names under which the log is kept, and the hash of its first event. */
export const identityStatements: ReadonlyArray<Statement> = [
  { sql: `SELECT ${nameOfLog}, schema FROM log LIMIT 3`, args: [] },
  { sql: "SELECT hash FROM events WHERE position = 1", args: [] },
]

interface SchemaObject {
  readonly type: string
  readonly name: string
  readonly sql: string
}

export const objectsOf = (rows: Rows): ReadonlyArray<SchemaObject> =>
  rows.map(([type, name, , sql]) => ({ type: String(type), name: String(name), sql: squeeze(String(sql)) }))

/** A statement that puts something right, and what that was. */
export interface Repair {
  readonly what: string
  readonly statements: ReadonlyArray<Statement>
}

/** What keeps the place of the events from being what we made: no statement puts that right without losing what is in it. */
export const misfitOf = (objects: ReadonlyArray<SchemaObject>, columns: ReadonlyArray<string>): string | undefined => {
  const events = objects.find(({ name }) => name === "events")
  if (events === undefined) return undefined
  if (events.type !== "table") return `a ${events.type} stands in the place of the table of its events`
  const gone = needed.filter((name) => !columns.includes(name))
  return gone.length === 0 ? undefined : `the table of its events lacks what was made with it (${gone.join(", ")})`
}

/** The columns that events have had in every version. */
const needed = columns
  .split(",")
  .map((name) => name.trim())
  .filter((name) => name !== "salt" && name !== "digest")

/** An index decides what a table takes where it is unique, or where what it is of cannot be told. None is ours. */
export const repairsOfIndexes = (objects: ReadonlyArray<SchemaObject>): ReadonlyArray<Repair> =>
  objects
    .filter(({ type }) => type === "index")
    .map(({ name }) => ({
      what: `an index that is not of a log was taken away (${name.slice(0, 60)})`,
      statements: [statement(`DROP INDEX ${quoted(name)}`)],
    }))

/** What acts on the tables beside what we made, and what of that is gone. */
export const repairsOfTriggers = (objects: ReadonlyArray<SchemaObject>): ReadonlyArray<Repair> => {
  const triggers = objects.filter(({ type }) => type === "trigger")
  const isOurs = ({ name, sql }: SchemaObject) => squeeze(expectedSchema.get(name) ?? "") === sql
  const strange = triggers.filter((object) => !isOurs(object))
  const kept = new Set(triggers.filter(isOurs).map(({ name }) => name))
  const gone = [...expectedSchema].filter(([name]) => name !== "events" && !kept.has(name))
  return [
    ...strange.map(({ name }) => ({
      what: `a trigger that is not of a log was taken away (${name.slice(0, 60)})`,
      statements: [statement(`DROP TRIGGER ${quoted(name)}`)],
    })),
    ...gone.map(([name, sql]) => ({
      what: `the trigger ${name} was made again`,
      statements: [statement(`DROP TRIGGER IF EXISTS ${name}`), statement(sql)],
    })),
  ]
}

/** The row that names the log, where it is gone or not the only one. One under another name alone is another log. */
export const repairsOfName = (
  objects: ReadonlyArray<SchemaObject>,
  found: Rows,
  logId: string,
  schema: number,
): ReadonlyArray<Repair> => {
  const made = objects.find(({ name }) => name === "log")
  const isMade = hasName(objects)
  const [[name, version] = []] = found
  const isRight = found.length === 1 && name !== "" && Number.isSafeInteger(version) && Number(version) > 0
  if (isMade && (isRight || (found.length === 1 && name !== "" && name !== logId))) return []
  if (isMade && found.length > 1 && !found.some(([id]) => id === logId)) return []
  const remake = isMade ? [] : [...(made ? [`DROP ${made.type} log`] : []), tableOfName]
  const again = {
    sql: "INSERT INTO log VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
    args: [logId, schema],
  }
  return [
    {
      what: "the row that names the log was written again",
      statements: [...remake.map(statement), statement("DELETE FROM log"), again],
    },
  ]
}

/** Whether there is the table that names a log: another program may have one that is only called so. */
export const hasName = (objects: ReadonlyArray<SchemaObject>): boolean =>
  objects.some(({ name, sql, type }) => type === "table" && name === "log" && sql === squeeze(tableOfName))

const tableOfName = remoteSchema[remoteSchema.length - 1] as string

const statement = (sql: string): Statement => ({ sql, args: [] })

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
