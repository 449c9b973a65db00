/** Can the log be believed? Walks the chain, checks signatures, and compares every live row with one folded anew. */

import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { definitions } from "@context-engine/core/domain/Events"
import type { Recorded } from "@context-engine/core/Event"
import { Fold } from "@context-engine/core/Fold"
import type { Finding, MachineReport } from "@context-engine/core/services/Audit"
import { projections } from "@context-engine/core/views/all"
import type { Connection } from "./connection.js"
import { decode, type EventRow, genesis, hashOf } from "./record.js"
import { keyId, type Signed, verifies } from "./Signer.js"
import { expectedSchema } from "./schema.js"
import { tables } from "./tables.js"

const limit = 100

/** The walk along the log, fed one row at a time in the order of positions. */
export class Walk {
  readonly findings: Array<Finding> = []
  readonly machines = new Map<string, MachineReport & { readonly publicKey: string }>()
  readonly unknownTypes: Record<string, number> = {}
  readonly fold = new Fold(projections)
  readonly head = { position: 0, hash: genesis }
  /** The first position that waits to be pushed. */
  clockChange = 0
  events = 0
  signed = 0
  unsigned = 0
  #versions = new Map<string, number>()
  #append: Array<EventRow> = []
  #recordedAt = ""

  next(row: EventRow): void {
    this.events += 1
    this.#checkPlace(row)
    const hash = hashOf(this.head.hash, row)
    if (hash !== row[10])
      this.find(
        "chain",
        row[0],
        `the event at position ${row[0]} is not the one that was written here: its hash does not hold`,
      )
    // Go on from what is stored: one change is found once, not at every event after it.
    this.head.position = row[0]
    this.head.hash = row[10]
    this.#foldIn(row)
    if (this.#append.length > 0 && this.#append[0]?.[11] !== row[11]) this.#checkSignature()
    this.#append.push(row)
  }

  /** To be called after the last row. */
  end(): void {
    this.#checkSignature()
  }

  find(kind: Finding["kind"], position: number | null, message: string): void {
    if (this.findings.length < limit) this.findings.push({ kind, position, message })
  }

  #checkPlace(row: EventRow): void {
    const [position, , stream, version] = row
    const expected = this.head.position + 1
    if (position !== expected) {
      const missing =
        position - expected === 1 ? `position ${expected} is` : `positions ${expected} to ${position - 1} are`
      this.find("gap", expected, `${missing} missing`)
    }
    const next = (this.#versions.get(stream) ?? 0) + 1
    if (version !== next) {
      this.find(
        "stream",
        position,
        `the event at position ${position} is version ${version} of ${stream}, where ${next} should be`,
      )
    }
    this.#versions.set(stream, version)
    // Where the shared log's clock ends and this machine's begins, both may differ while much is being pushed.
    if (row[9] < this.#recordedAt && position !== this.clockChange)
      this.find("chain", position, `the event at position ${position} was recorded before the one before it`)
    this.#recordedAt = row[9]
  }

  #foldIn(row: EventRow): void {
    let event: Recorded
    try {
      event = decode(row)
    } catch (error) {
      this.find("damage", row[0], (error as Error).message)
      return
    }
    if (!definitions.has(event.type)) this.unknownTypes[event.type] = (this.unknownTypes[event.type] ?? 0) + 1
    if (event.type === "MachineJoined") this.#meet(event as Recorded<any>)
    this.fold.apply(event)
  }

  #meet(event: Recorded<any>): void {
    const { machineId, name, publicKey } = event.data
    if (keyId(publicKey) !== machineId) {
      this.find(
        "signature",
        event.position,
        `the key at position ${event.position} is not that of machine ${machineId}`,
      )
    }
    // One that lost its file and began anew joins again.
    const events = this.machines.get(machineId)?.events ?? 0
    this.machines.set(machineId, { machineId, name, publicKey, events })
  }

  /** Events of one append carry one signature over all of them. */
  #checkSignature(): void {
    const append = this.#append.splice(0)
    const [first] = append
    if (first === undefined) return
    const signature = first[11]
    if (signature === null) {
      this.unsigned += append.length
      return
    }
    const signed = append.map((row): Signed => [row[1], row[2], row[4], row[5], row[6], row[7], row[8]])
    const author = [...this.machines.values()].find(({ publicKey }) => verifies(publicKey, signed, signature))
    if (author === undefined) {
      const where =
        append.length === 1 ? `position ${first[0]}` : `positions ${first[0]} to ${append[append.length - 1]?.[0]}`
      this.find(
        "signature",
        first[0],
        `the signature at ${where} is that of no machine in this log: the content was changed, or it is not from where it says`,
      )
      return
    }
    this.signed += append.length
    this.machines.set(author.machineId, { ...author, events: author.events + append.length })
  }
}

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
  Object.fromEntries(table.columns.map(({ field }) => [field, (row as Record<string, unknown>)[field] ?? null]))

/** The triggers and tables that guard the log must be there as they were made, and the checkpoint at the head. */
export const checkGuards = (connection: Connection, walk: Walk): void => {
  const found = new Map(
    connection
      .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
      .all()
      .map(([name, sql]) => [name, sql]),
  )
  for (const [name, sql] of expectedSchema) {
    if (!found.has(name)) walk.find("trigger", null, `${name} is missing: the file no longer refuses what it should`)
    else if (squeeze(found.get(name)) !== squeeze(sql)) walk.find("trigger", null, `${name} is not as it was made`)
  }
  const [checkpoint] = connection.prepare("SELECT position FROM checkpoint").get() ?? [null]
  if (checkpoint !== walk.head.position) {
    walk.find(
      "checkpoint",
      walk.head.position,
      `the rows are those of position ${checkpoint}, but the log ends at ${walk.head.position}`,
    )
  }
}

const squeeze = (sql: string): string => sql.replace(/\s+/g, " ").trim()
