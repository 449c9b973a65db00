/**
 * Puts this machine's own last events after those of others that came first, each command decided again on what there is
 * then. What cannot stand becomes a `CommandRejected` in its place; nothing that was acknowledged vanishes.
 */
import { CommandRejected, rejection } from "@context-engine/core/domain/Rejection"
import type { Meta, Recorded } from "@context-engine/core/Event"
import { Fold } from "@context-engine/core/Fold"
import type { Rejected } from "@context-engine/core/services/Sync"
import { decisive } from "@context-engine/core/services/sync/entities"
import { redecide, type Verdict } from "@context-engine/core/services/sync/redecide"
import { units } from "@context-engine/core/services/sync/units"
import { projections } from "@context-engine/core/views/all"
import { what } from "@context-engine/core/views/tell"
import { insertRows, readHead, readVersions } from "../append.js"
import type { Connection } from "../connection.js"
import { decode, type EventRow, hashOf } from "../record.js"
import { writeRows } from "../rows.js"
import { tables } from "../tables.js"
import { type Author, join, joinStream, type Placeless, write } from "./author.js"
import type { Place } from "./protocol.js"
import { forgetRows } from "./state.js"
import { unguarded } from "./triggers.js"
import { unfold } from "./unfold.js"

export interface Rebased {
  readonly moved: number
  readonly rejected: ReadonlyArray<Rejected>
}

/** A stored event with its row, so that what was signed stays byte for byte. */
type Placed = Recorded & { readonly row: EventRow }

/** `tail` is all that follows `base` here; `incoming` is what follows it in the shared log. Within a transaction. */
export const rebase = (
  connection: Connection,
  base: Place,
  tail: ReadonlyArray<EventRow>,
  incoming: ReadonlyArray<EventRow>,
  author: Author,
): Rebased => {
  unguarded(connection, () => connection.prepare("DELETE FROM events WHERE position > ?").run(base.position))
  unfold(connection, tail.map(decode))
  forgetRows(connection)
  insertRows(connection, incoming)
  writeRows(connection, projections, incoming.map(decode))
  const events = tail.map((row): Placed => ({ ...decode(row), row }))
  const { kept, rejected } = decide(connection, events, author)
  const keepAsOf = readHead(connection).position
  const placed = place(connection, kept)
  insertRows(connection, placed)
  writeRows(connection, projections, placed.map(decode), { keepAsOf })
  return { moved: kept.length, rejected }
}

/** Decides every unit again, in order, on the rows of the log without them. */
const decide = (connection: Connection, tail: ReadonlyArray<Placed>, author: Author) => {
  const world = loadWorld(connection)
  const known = idsIn(connection, tail)
  const refused = refusedIn(connection, tail)
  const kept: Array<Placeless> = []
  const rejected: Array<Rejected> = []
  for (const unit of units(tail)) {
    const there = unit.filter(({ id }) => known.has(id)).length
    // Another machine that has them, too, was faster: a copy of this file, or one that healed the log before this one.
    if (there === unit.length || refused.has((unit[0] as Placed).id)) continue
    const verdict: Verdict =
      there > 0 ? { outcome: "refused", reason: "the log has a part of it already" } : redecide(unit, world)
    if (verdict.outcome === "stands") {
      kept.push(...unit.map(({ row }) => row))
      continue
    }
    kept.push(...membership(connection, kept, author, unit[0] as Placed), rejection_(author, unit, verdict))
    rejected.push({ id: (unit[0] as Placed).id, what: what({ events: unit }), ...verdict })
  }
  return { kept, rejected }
}

/** The rows that decisions are made on, as they are in the tables. */
export const loadWorld = (connection: Connection): Fold => {
  const world = new Fold(decisive)
  for (const projection of decisive) {
    const table = tables.find(({ name }) => name === projection.name) as (typeof tables)[0]
    // Only what a person wrote on the timeline can be changed by one.
    const where = table.name === "infra_events" ? " WHERE source = 'person'" : ""
    const rows = world.rows(projection)
    for (const [json] of connection.prepare(`SELECT ${table.rowAsJson} FROM "${table.name}"${where}`).all()) {
      const row = JSON.parse(json)
      rows.set(row.id, row)
    }
  }
  return world
}

const idsIn = (connection: Connection, events: ReadonlyArray<Placed>): ReadonlySet<string> =>
  new Set(
    connection
      .prepare("SELECT id FROM events WHERE id IN (SELECT value FROM json_each(?))")
      .all(JSON.stringify(events.map(({ id }) => id)))
      .map(([id]) => id as string),
  )

/** Which of them began a command that is refused in the log already. */
const refusedIn = (connection: Connection, events: ReadonlyArray<Placed>): ReadonlySet<string> =>
  new Set(
    connection
      .prepare("SELECT id FROM rejections WHERE id IN (SELECT value FROM json_each(?))")
      .all(JSON.stringify(events.map(({ id }) => id)))
      .map(([id]) => id as string),
  )

/** What says in the log that a command could not stand, and why. */
const rejection_ = (author: Author, unit: ReadonlyArray<Placed>, verdict: Exclude<Verdict, { outcome: "stands" }>) => {
  const first = unit[0] as Placed
  const { actor, commandId, machine } = first.meta
  const events = unit.map(({ row }) => ({
    id: row[1],
    stream: row[2],
    type: row[4],
    schema: row[5],
    data: JSON.parse(row[6]),
    meta: JSON.parse(row[7]),
    occurredAt: row[8],
  }))
  const data = {
    commandId,
    outcome: verdict.outcome,
    reason: verdict.reason,
    actor,
    machine,
    events,
    signature: first.signature,
  }
  const meta: Meta = { ...first.meta, commandId: author.id(), cause: commandId }
  return write(author, `${rejection.name}-${first.id}`, CommandRejected, data, meta)
}

/** The event by which this machine joins the log, if it is to sign something in it for the first time. */
const membership = (connection: Connection, kept: ReadonlyArray<Placeless>, author: Author, { meta }: Placed) => {
  const { signer } = author
  if (signer === undefined) return []
  const stream = joinStream(signer)
  if (kept.some((row) => row[2] === stream) || readVersions(connection, [stream])[0]?.[1] !== 0) return []
  return [join(author, signer, meta)]
}

/** Gives events the next places of the log: position, version, time and hash. What was signed stays as it was. */
const place = (connection: Connection, events: ReadonlyArray<Placeless>): ReadonlyArray<EventRow> => {
  const head = readHead(connection)
  const versions = new Map(readVersions(connection, [...new Set(events.map((row) => row[2]))]))
  let { hash, position, recordedAt } = head
  return events.map((row) => {
    position += 1
    const version = (versions.get(row[2]) ?? 0) + 1
    versions.set(row[2], version)
    if (row[9] > recordedAt) recordedAt = row[9]
    const placed = row.with(0, position).with(3, version).with(9, recordedAt) as unknown as EventRow
    hash = hashOf(hash, placed)
    return placed.with(10, hash) as unknown as EventRow
  })
}
