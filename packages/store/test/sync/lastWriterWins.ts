/** What the usual way makes of the same work: whole rows, of which the later one wins. For comparison only. */
import type { Recorded } from "@context-engine/core/Event"
import { Fold } from "@context-engine/core/Fold"
import type { Projection } from "@context-engine/core/Projection"
import { uniqueValue } from "@context-engine/core/Projection"
import { projections } from "@context-engine/core/views/all"

type Row = Readonly<Record<string, any>>

export interface Lost {
  /** Edits that the other machine's row, written later, knew nothing of. */
  readonly overwritten: number
  /** Rows that vanished because another had taken their name, with all that was done to them. */
  readonly displaced: number
  /** Removals that were undone by a later write of the other machine. */
  readonly resurrected: number
  /** Rows that refer to something that is gone. */
  readonly dangling: number
}

/** Merges two tails over one base, row by row, and counts what nobody is told of. The machines worked turn by turn. */
export const lastWriterWins = (
  base: ReadonlyArray<Recorded>,
  tails: readonly [ReadonlyArray<Recorded>, ReadonlyArray<Recorded>],
): Lost => {
  const folds = tails.map((tail) => fold([...base, ...tail]))
  const lost = { overwritten: 0, displaced: 0, resurrected: 0, dangling: 0 }
  const merged = new Map<string, Map<string, Row>>()
  for (const view of projections.filter(({ name }) => name !== "infra_events")) {
    const writes = tails.map((tail) => lastWrites(view, tail))
    const rows = new Map<string, Row>(fold(base).rows(view) as Map<string, Row>)
    for (const id of new Set(writes.flatMap((one) => [...one.keys()]))) {
      const turns = writes.map((one) => one.get(id) ?? -1) as [number, number]
      const winner = turns[0] > turns[1] ? 0 : 1
      const row = folds[winner]?.rows(view).get(id) as Row | undefined
      if (row === undefined) rows.delete(id)
      else rows.set(id, row)
      if (turns[1 - winner] === -1) continue
      for (const event of tails[1 - winner] ?? []) if (view.key(event) === id) judge(event, row, lost)
    }
    displace(view, rows, lost)
    merged.set(view.name, rows)
  }
  const has = (name: string, id: unknown) => id === null || id === undefined || merged.get(name)?.has(id as string)
  for (const name of ["services", "routes", "service_deps", "secrets_registry"]) {
    for (const row of merged.get(name)?.values() ?? []) {
      const whole =
        has("servers", row.serverId) && has("services", row.serviceId) && has("services", row.dependsOnServiceId)
      if (!whole) lost.dangling += 1
    }
  }
  return lost
}

const fold = (events: ReadonlyArray<Recorded>): Fold => {
  const folded = new Fold(projections)
  for (const event of events) folded.apply(event)
  return folded
}

/** In which turn each row was last written. */
const lastWrites = (view: Projection, tail: ReadonlyArray<Recorded>): ReadonlyMap<string, number> =>
  new Map(tail.flatMap((event, turn) => (view.key(event) === undefined ? [] : [[view.key(event) as string, turn]])))

type Count = { -readonly [K in keyof Lost]: number }

/** Whether a write of the machine that lost can still be seen in the row that won. */
const judge = (event: Recorded, row: Row | undefined, lost: Count): void => {
  const data = event.data as Row
  if (event.type.endsWith("Removed")) {
    if (row !== undefined) lost.resurrected += 1
    return
  }
  const wanted: Row = event.type.endsWith("Updated")
    ? data.changes
    : event.type.endsWith("Renamed")
      ? { name: data.to }
      : {}
  const kept =
    row !== undefined && Object.keys(wanted).every((key) => JSON.stringify(wanted[key]) === JSON.stringify(row[key]))
  if (!kept || Object.keys(wanted).length === 0) lost.overwritten += 1
}

const displace = (view: Projection, rows: Map<string, Row>, lost: Count): void => {
  for (const key of view.unique) {
    const seen = new Set<string>()
    for (const [id, row] of [...rows].reverse()) {
      const value = uniqueValue(row, key)
      if (value === undefined) continue
      if (seen.has(value)) {
        rows.delete(id)
        lost.displaced += 1
      }
      seen.add(value)
    }
  }
}
