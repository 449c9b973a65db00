/** Where each session of a machine ends: what the next unit of it has to follow. */
import type { Connection } from "../connection.js"
import { clashes, columns, type EventRow } from "../record.js"
import { type Chain, chainOf, isRoot, type Link, passRefused } from "./chain.js"
import { lastStated, unitHash } from "./sealing.js"

/** The end of a session after a unit. `root`: under which it was signed. A number that was there before takes the session nowhere back. */
export const endAfter = (
  before: Link | undefined,
  unit: ReadonlyArray<EventRow>,
  { number }: Chain,
  root: string,
): Link => ({
  number: Math.max(number, before?.number ?? 0),
  unit: unitHash(unit, root),
  occurredAt: lastStated(unit, before?.occurredAt ?? ""),
})

export const readLink = (connection: Connection, machine: string, session: string): Link | undefined => {
  const found = connection
    .prepare("SELECT number, unit, occurred_at FROM chains WHERE machine = ? AND session = ?")
    .get(machine, session)
  return found === undefined ? undefined : { number: found[0], unit: found[1], occurredAt: found[2] }
}

/** Keeps where sessions end, by `machine session`. */
export const writeLinks = (connection: Connection, links: ReadonlyMap<string, Link>): void => {
  const put = connection.prepare("INSERT OR REPLACE INTO chains VALUES (?, ?, ?, ?, ?)")
  for (const [id, { number, occurredAt, unit }] of links) {
    const [machine, session] = id.split(" ") as [string, string]
    put.run(machine, session, number, unit, occurredAt)
  }
}

/** Where each session ends as of a position, from the units that count: to be called where the confirmed place jumps. */
export const rebuildLinks = (connection: Connection, until: number): void => {
  const links = new Map<string, Link>()
  let root: string | undefined
  for (const unit of countingUnits(connection, until)) {
    const [first] = unit as [EventRow]
    const chain = chainOf(first)
    if (chain === undefined) continue
    if (isRoot(first)) root = first[1]
    // Before there is a root no chain is relied on.
    if (root === undefined) continue
    const id = `${chain.key} ${chain.session}`
    links.set(id, endAfter(links.get(id), unit, chain, root))
    passRefused(links, first)
  }
  connection.prepare("DELETE FROM chains").run()
  writeLinks(connection, links)
}

/** The units that count by the rule, though the rows could not take all of them. */
function* countingUnits(connection: Connection, until: number): Generator<ReadonlyArray<EventRow>> {
  const next = connection.prepare(
    `SELECT ${columns} FROM events WHERE position > ? AND position <= ? AND digest IS NOT NULL AND signature IS NOT NULL
     AND position NOT IN (SELECT position FROM inert WHERE reason <> '${clashes}') ORDER BY position LIMIT 2000`,
  )
  let unit: Array<EventRow> = []
  for (let after = 0; ; ) {
    const rows = next.all(after, until) as ReadonlyArray<EventRow>
    for (const row of rows) {
      if (unit.length > 0 && unit[0]?.[11] !== row[11]) {
        yield unit
        unit = []
      }
      unit.push(row)
    }
    if (rows.length === 0) break
    after = rows[rows.length - 1]?.[0] ?? after
  }
  if (unit.length > 0) yield unit
}
