/** What must hold of the machines of a simulated story when it is over. */

import type { NativeConnection } from "../../src/connection.js"
import type { EventRow } from "../../src/record.js"
import { bounded } from "../../src/sync/protocol.js"
import { tables } from "../../src/tables.js"
import { Walk } from "../../src/verify.js"
import { checkGuards, compareRows } from "../../src/verifyFile.js"
import { readSetting } from "../../src/verifySetting.js"
import type { MemoryMachine } from "../support/memoryMachine.js"
import { rowsOf as logOf } from "./hostile.js"

export interface Simulated {
  readonly problems: ReadonlyArray<string>
  readonly events: number
  readonly acknowledged: number
  readonly refused: number
  readonly moot: number
  /** Events that somebody without an enrolled key appended. */
  readonly forged: number
}

const viewsOf = (connection: NativeConnection): string =>
  JSON.stringify(
    tables.map((table) => connection.prepare(`SELECT ${table.rowAsJson} FROM "${table.name}" ORDER BY id`).all()),
  )

/** Where two texts part, with a little of both. */
const firstDifference = (a: string, b: string): string => {
  const at = [...a].findIndex((character, index) => character !== b[index])
  return `${a.slice(Math.max(0, at - 300), at + 60)} ≠ ${b.slice(at, at + 60)}`
}

/** What nobody decides: it is never refused. */
const isFact = (type: string): boolean => !/(Added|Updated|Renamed|Removed)$/.test(type)

/** What is known of a story beside what its machines have. */
export interface Told {
  readonly log: NativeConnection
  /** Machines that all have it. */
  readonly machines: ReadonlyArray<MemoryMachine>
  readonly acknowledged: ReadonlyMap<string, string>
  /** What a forger appended, which must count for nothing. */
  readonly forged: ReadonlySet<string>
  /** What somebody with an enrolled machine's key appended, without looking: it counts or not, but for all alike. */
  readonly careless: ReadonlySet<string>
  /** What a machine wrote that was revoked, as the log came to say afterwards. */
  readonly late: ReadonlySet<string>
  readonly liar: { readonly lies: number }
}

/** What a server that lied said of when it took something is no part of the chain, and nobody can hold it to that. */
const textOf = (log: ReadonlyArray<EventRow>, lied: boolean): string =>
  JSON.stringify(lied ? log.map((row) => row.with(9, "")) : log)

/** The positions that count for nothing on a machine, with why. */
export const inertOf = (connection: NativeConnection): ReadonlyArray<[position: number, reason: string]> =>
  connection.prepare("SELECT position, reason FROM inert ORDER BY position").all() as any

export const judge = ({ acknowledged, careless, forged, late, liar, log: shared, machines }: Told): Simulated => {
  const problems: Array<string> = []
  // Of what cannot be an event of ours little travels: that is what machines have of it.
  const log = shared.prepare(`SELECT ${bounded} FROM events ORDER BY position`).all() as ReadonlyArray<EventRow>
  const [first] = machines as [MemoryMachine]
  const rows = viewsOf(first.connection)
  const inert = JSON.stringify(inertOf(first.connection))
  const lied = liar.lies > 0
  const there = textOf(log, lied)
  for (const { connection, name } of machines) {
    const here = textOf(logOf(connection), lied)
    if (here !== there) problems.push(`${name} has another log: ${firstDifference(here, there)}`)
    if (viewsOf(connection) !== rows)
      problems.push(`${name} has other rows: ${firstDifference(viewsOf(connection), rows)}`)
    const own = JSON.stringify(inertOf(connection))
    if (own !== inert) problems.push(`to ${name} other events are inert: ${firstDifference(own, inert)}`)
    const breaks = connection.prepare("SELECT position, message FROM breaks").all()
    if (breaks.length > 0) problems.push(`${name} sees a break where nobody lied: ${JSON.stringify(breaks)}`)
  }
  problems.push(...wronglyJudged(log, new Map(inertOf(first.connection)), forged, new Set([...careless, ...late])))
  // Gapless, chained, signed, and the rows that live are those folded anew.
  const walk = new Walk(readSetting(first.connection))
  for (const row of log) walk.next(row)
  walk.end()
  checkGuards(first.connection, walk)
  compareRows(first.connection, walk)
  const isNoise = (position: number | null) => {
    const row = log[(position ?? 0) - 1]
    return row !== undefined && ([forged, careless, late].some((ids) => ids.has(row[1])) || isRenamed(row))
  }
  problems.push(
    ...walk.findings
      .filter(({ kind, position }) => kind !== "inert" || !isNoise(position))
      .map(({ message }) => message),
  )
  const inLog = new Set(log.map((row) => row[1]))
  const rejected = new Set<string>()
  let refused = 0
  let moot = 0
  const visible = new Set(
    first.connection
      .prepare("SELECT id FROM rejections")
      .all()
      .map(([id]) => id),
  )
  const isOurs = (row: EventRow) => !forged.has(row[1]) && !careless.has(row[1]) && !isRenamed(row)
  for (const row of log.filter((one) => one[4] === "CommandRejected" && isOurs(one))) {
    const { events, outcome } = JSON.parse(row[6])
    if (outcome === "refused") refused += 1
    else moot += 1
    for (const { id } of events) {
      if (rejected.has(id) || inLog.has(id)) problems.push(`${id} is in the log twice`)
      rejected.add(id)
    }
    if (!visible.has(events[0].id)) problems.push(`the rejection of ${events[0].id} is not visible`)
  }
  for (const [id, type] of acknowledged) {
    if (!inLog.has(id) && !rejected.has(id)) problems.push(`${type} ${id} was acknowledged and is lost`)
    if (isFact(type) && !inLog.has(id)) problems.push(`the fact ${type} ${id} is lost`)
  }
  problems.push(...brokenRules(first.connection, careless.size > 0))
  return { problems, events: log.length, acknowledged: acknowledged.size, refused, moot, forged: forged.size }
}

/** Nobody honest gives an event a name that does not travel. */
const isRenamed = (row: EventRow): boolean => row[1] === `inert-${row[0]}`

/** Forged events that count, and honest ones that do not. */
const wronglyJudged = (
  log: ReadonlyArray<EventRow>,
  inert: ReadonlyMap<number, string>,
  forged: ReadonlySet<string>,
  careless: ReadonlySet<string>,
): ReadonlyArray<string> =>
  log.flatMap((row) => {
    const reason = inert.get(row[0])
    if (forged.has(row[1]) && reason === undefined) return [`the forged ${row[4]} at ${row[0]} counts`]
    if (forged.has(row[1]) || careless.has(row[1]) || isRenamed(row) || reason === undefined) return []
    return [`the honest ${row[4]} at ${row[0]} is inert: ${reason}`]
  })

/** What the registry promises of its rows, asked of the tables. */
const brokenRules = (connection: NativeConnection, careless: boolean): ReadonlyArray<string> => {
  const rules = {
    "two servers of one name": "SELECT 1 FROM servers GROUP BY name HAVING count(*) > 1",
    "two services of one name": "SELECT 1 FROM services GROUP BY name, server_id HAVING count(*) > 1",
    "a service without its server": "SELECT 1 FROM services WHERE server_id NOT IN (SELECT id FROM servers)",
    "a route to nothing": "SELECT 1 FROM routes WHERE service_id NOT IN (SELECT id FROM services)",
    "a secret of nothing":
      "SELECT 1 FROM secrets_registry WHERE service_id IS NOT NULL AND service_id NOT IN (SELECT id FROM services) OR service_id IS NULL AND server_id IS NOT NULL AND server_id NOT IN (SELECT id FROM servers)",
    "a dependency of nothing": "SELECT 1 FROM service_deps WHERE service_id NOT IN (SELECT id FROM services) OR depends_on_service_id IS NOT NULL AND depends_on_service_id NOT IN (SELECT id FROM services)", // biome-ignore format: one rule
    "a cycle of required dependencies": `WITH RECURSIVE reached (start, node) AS (
      SELECT service_id, depends_on_service_id FROM service_deps WHERE required = 1
      UNION SELECT start, depends_on_service_id FROM reached JOIN service_deps ON service_id = node AND required = 1
    ) SELECT 1 FROM reached WHERE start = node`,
  }
  // Whoever has a key and does not look can leave things that refer to nothing; what is unique stays so.
  const held = Object.entries(rules).filter(([rule]) => !careless || rule.startsWith("two "))
  return held.flatMap(([rule, sql]) => (connection.prepare(sql).all().length > 0 ? [rule] : []))
}
