/** The check of the database: what the file is, whether it holds, and whether there is room for more. */
import { existsSync, statfsSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { word } from "@context-engine/core/Shell"
import { type Check, type Finding, ok, trouble, warning } from "@context-engine/core/services/Diagnosis"
import * as Effect from "effect/Effect"
import type { Connection } from "../connection.js"
import { checkSchema } from "../fileSchema.js"
import { obstacleTo } from "../obstacle.js"
import { columns, type EventRow, genesis, hashOf, matchesDigest } from "../record.js"
import { applicationId, migrations } from "../schema.js"
import { tables } from "../tables.js"
import { readInert } from "../trust/verdicts.js"
import { damageIn } from "../verifyFile.js"
import { log } from "./log.js"
import { look } from "./look.js"

export interface Options {
  /** Whether a person named the log: then its directory is not made. */
  readonly isNamed?: boolean
  /** Whether this machine has seen a log there: what is told of that is the check of the memory's. */
  readonly isSeen?: boolean
  /** How many of the last events are held against the chain. Default 500. */
  readonly events?: number
  /** For how many milliseconds the log is gone through from its beginning. Default 2,000. */
  readonly budget?: number
  /** Below so many free bytes there is a warning. Default 200 MB. */
  readonly minimumFree?: number
  /** Above so many bytes beside the file, which nobody has taken over into it, there is a warning. Default 100 MB. */
  readonly maximumWal?: number
}

const megabyte = 1_000_000
/** A larger file takes too long for a quick look. */
const quickLimit = 500 * megabyte

/** Looks at the file at a path, which may be anything or nothing. */
export const database = (path: string, options: Options = {}): Check => ({
  name: "database",
  look: Effect.gen(function* () {
    const about = yield* Effect.match(
      look(path, (connection) => judge(connection, path, options)),
      {
        onSuccess: (found) => found ?? [missing(path, options)],
        onFailure: ({ message, reason }) => [trouble("database", message, mendOf(path, reason))],
      },
    )
    return [...about, ...(yield* whole(path, about, options)), ...room(path, options)]
  }),
})

/** The log from its first event, where the file is one of ours whose pages hold. */
const whole = (path: string, about: ReadonlyArray<Finding>, { budget = 2_000 }: Options) => {
  const of = (name: string) => about.find(({ check }) => check === name)
  if (of("chain") === undefined || of("integrity")?.level === "trouble") return Effect.succeed([])
  return log(path, { budget, rows: of("views") === undefined })
}

const missing = (path: string, { isNamed = false, isSeen = false }: Options): Finding => {
  if (isSeen) return warning("database", `there is no log at ${path} any more`)
  return isNamed && !existsSync(dirname(path))
    ? warning("database", `there is no log at ${path}, and no directory for one`, "make it, or name another with --db")
    : warning("database", `there is no log at ${path} yet`, "it is made with the first command; name another with --db")
}

const mend: Record<string, string> = {
  corrupt: "context infra restore <backup>",
  "not-a-database": "name the right file with --db or CONTEXT_DB",
  foreign: "name the right file with --db or CONTEXT_DB",
  unavailable: "name the right file with --db or CONTEXT_DB",
}

/** A file that is the right one may be where nothing can be made that is needed beside it. */
const mendOf = (path: string, reason: string): string | undefined =>
  (reason === "unavailable" && statSync(path, { throwIfNoEntry: false })?.isFile()
    ? obstacleTo(path)?.fix
    : undefined) ?? mend[reason]

const judge = (connection: Connection, path: string, options: Options): ReadonlyArray<Finding> => {
  const [application] = connection.prepare("SELECT application_id FROM pragma_application_id").get()
  const [version] = connection.prepare("SELECT user_version FROM pragma_user_version").get()
  // What else it could be was refused before it was opened.
  if (application !== applicationId) return [missing(path, options)]
  if (version > migrations.length) {
    const found = `${path} was written by a newer context (schema ${version}, this one knows ${migrations.length})`
    return [trouble("database", found, "upgrade context on this machine")]
  }
  return [
    ...integrity(connection, path),
    ...views(connection),
    ...schema(connection),
    ...chain(connection, options),
    ...size(path, version, options),
  ]
}

const integrity = (connection: Connection, path: string): ReadonlyArray<Finding> => {
  if (statSync(path).size > quickLimit)
    return [ok("integrity", "not looked at: the file is too large for a quick look (context infra audit verify)")]
  const damage = damageIn(connection, "quick_check")
  if (damage === undefined) return [ok("integrity", "every page of the file holds")]
  return [trouble("integrity", damage, "context infra restore <backup>")]
}

const views = (connection: Connection): ReadonlyArray<Finding> => {
  const versions = new Map(connection.prepare("SELECT name, version FROM projections").all() as any)
  const newer = tables.filter(({ name, version }) => Number(versions.get(name) ?? 0) > version)
  const older = tables.filter(({ name, version }) => Number(versions.get(name) ?? 0) < version)
  if (newer.length > 0) {
    const found = `its views were built by a newer context (${newer.map(({ name }) => name).join(", ")})`
    return [trouble("views", found, "upgrade context on this machine")]
  }
  const then = "they are built anew with the next command"
  if (older.length > 0)
    return [ok("views", `${older.map(({ name }) => name).join(", ")}: of an older version; ${then}`)]
  return []
}

/** An export has the events and nothing of what somebody added to the file. */
const schema = (connection: Connection): ReadonlyArray<Finding> =>
  checkSchema(connection).map(({ message }) =>
    trouble("schema", message, "context infra audit export --into <lines>, then audit import <lines> --db <new file>"),
  )

/** The last events only: the whole log is what an audit walks. */
const chain = (connection: Connection, { events = 500 }: Options): ReadonlyArray<Finding> => {
  const rows = connection
    .prepare(`SELECT * FROM (SELECT ${columns} FROM events ORDER BY position DESC LIMIT ?) ORDER BY position`)
    .all(events + 1) as ReadonlyArray<EventRow>
  const [first] = rows
  if (first === undefined) return [ok("chain", "the log is empty")]
  // The event before the first that is checked only gives its hash, unless that is the first of all.
  const checked = rows.length > events ? rows.slice(1) : rows
  let hash = checked === rows ? genesis : first[10]
  let position = (checked[0] as EventRow)[0] - 1
  const inert = readInert(connection, position)
  for (const row of checked) {
    position += 1
    // What counts for nothing may claim any hash: the chain goes on from what it says.
    const isInert = inert.has(row[0])
    hash = isInert ? row[10] : hashOf(hash, row)
    if (row[0] !== position || hash !== row[10] || !(isInert || matchesDigest(row))) {
      const found = `the event at position ${row[0]} is not the one that was written there`
      return [trouble("chain", found, "context infra audit verify")]
    }
  }
  return [ok("chain", `the last ${checked.length} of ${position} events hold`)]
}

const size = (path: string, version: number, { maximumWal = 100 * megabyte }: Options): ReadonlyArray<Finding> => {
  const wal = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  const about = `${path}, ${sized(statSync(path).size)}, schema ${version}`
  if (wal <= maximumWal) return [ok("database", about)]
  const found = `${about}; what is not yet in the file itself (${path}-wal) has ${sized(wal)}: something keeps it from being taken over`
  return [warning("database", found, "end what has read from the log for long: context infra serve, a bot, a backup")]
}

const room = (path: string, { minimumFree = 200 * megabyte }: Options): ReadonlyArray<Finding> => {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    const free = bavail * bsize
    if (free >= minimumFree) return [ok("disk", `${sized(free)} free`)]
    const found = `only ${sized(free)} free for ${dirname(path)}`
    return [warning("disk", found, `make room: df -h ${word(dirname(path))}`)]
  } catch {
    return []
  }
}

const sized = (bytes: number): string => {
  if (bytes < megabyte) return `${Math.ceil(bytes / 1_000)} kB`
  return bytes < 1_000 * megabyte
    ? `${(bytes / megabyte).toFixed(1)} MB`
    : `${(bytes / 1_000 / megabyte).toFixed(1)} GB`
}
