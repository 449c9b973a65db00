/** A server that changes, leaves out, reorders or withholds units of a log that machines have already: what each of them sees. */

import { join } from "node:path"
import { Sync } from "@context-engine/core/services/Sync"
import * as Effect from "effect/Effect"
import type { EventRow } from "../../src/record.js"
import { make } from "../../src/sync/RemoteLog.js"
import { chainOf } from "../../src/trust/chain.js"
import { rewritten } from "../support/forger.js"
import { type MemoryMachine, memoryMachine } from "../support/memoryMachine.js"
import type { Random } from "../support/random.js"
import type { Sequencer } from "../support/sequencer.js"
import { rowsOf, shadowOf } from "./hostile.js"
import { inertOf } from "./verdict.js"

interface Rewriting {
  readonly random: Random
  readonly directory: string
  readonly log: Sequencer
  readonly machines: ReadonlyArray<MemoryMachine>
  readonly liar: { redirect: (to: Sequencer | undefined) => void }
}

/** Shows each kind of rewriting to a machine that has the log, and to one that has nothing. Gives what did not hold. */
export const rewrite = async ({
  directory,
  liar,
  log,
  machines,
  random,
}: Rewriting): Promise<ReadonlyArray<string>> => {
  const rows = rowsOf(log.connection)
  const inert = new Set(inertOf((machines[0] as MemoryMachine).connection).map(([position]) => position))
  const units = unitsOf(rows.filter((row) => !inert.has(row[0])))
  const pair = random.pick([...pairs(units), undefined])
  if (pair === undefined) return []
  const [earlier, later] = pair
  const without = rows.filter((row) => !earlier.includes(row))
  const at = rows.indexOf(later[0] as EventRow)
  const kinds: Readonly<Record<string, ReadonlyArray<EventRow>>> = {
    "left out": without,
    "put later": [...without.filter((row) => row[0] < (rows[at + later.length]?.[0] ?? Number.MAX_SAFE_INTEGER)), ...earlier, ...rows.slice(at + later.length)], // biome-ignore format: one line
    changed: rows.map((row) => (row === earlier[0] ? rewritten(row, { data: '{"name":"other"}' }) : row)),
    withheld: rows.slice(0, rows.indexOf(earlier[0] as EventRow)),
  }
  const problems: Array<string> = []
  for (const [kind, shown] of Object.entries(kinds)) {
    const shadow = shadowOf(log.connection, shown)
    liar.redirect(shadow)
    const known = machines[0] as MemoryMachine
    const before = JSON.stringify(rowsOf(known.connection))
    const met = await known.run(Effect.either(Effect.flatMap(Sync, (service) => service.now())))
    if (met._tag === "Right") problems.push(`${known.name} takes a log of which a unit was ${kind}`)
    if (JSON.stringify(rowsOf(known.connection)) !== before) problems.push(`${known.name} gave up what it had`)
    if (kind !== "withheld") problems.push(...(await showToNewcomer(directory, shadow, kind)))
    liar.redirect(undefined)
    shadow.connection.close()
  }
  const altered = rows.map((row) =>
    row === earlier[0] ? rewritten(row, { data: '{"name":"other"}', digest: row[13] }) : row,
  )
  const shadow = shadowOf(log.connection, altered)
  const one = memoryMachine("reader", join(directory, "reader-altered"), make("memory", shadow.batch), undefined)
  const met = await one.run(Effect.either(Effect.flatMap(Sync, (service) => service.now())))
  if (met._tag === "Right") problems.push("a newcomer takes data that is not what was signed")
  if (rowsOf(one.connection).length >= (earlier[0]?.[0] ?? 0)) problems.push("a newcomer has data that was changed")
  await one.close()
  shadow.connection.close()
  return problems
}

/** Whoever has nothing sees it by the chains of the machines, or by what counts for nothing all of a sudden. */
const showToNewcomer = async (directory: string, shadow: Sequencer, kind: string): Promise<ReadonlyArray<string>> => {
  const one = memoryMachine("reader", join(directory, `reader-${kind}`), make("memory", shadow.batch), undefined)
  await one.run(Effect.flatMap(Sync, (service) => service.now()))
  const { breaks } = await one.run(Effect.flatMap(Sync, (service) => service.status))
  await one.close()
  return breaks.length > 0 ? [] : [`a newcomer is not told that a unit was ${kind}`]
}

/** The units of a log. */
const unitsOf = (rows: ReadonlyArray<EventRow>): ReadonlyArray<ReadonlyArray<EventRow>> => {
  const units: Array<Array<EventRow>> = []
  for (const row of rows) {
    const last = units[units.length - 1]
    if (last !== undefined && row[11] !== null && last[0]?.[11] === row[11]) last.push(row)
    else units.push([row])
  }
  return units
}

/** Two units that follow each other in one session, of which the first is not the root. */
const pairs = (units: ReadonlyArray<ReadonlyArray<EventRow>>) => {
  const last = new Map<string, ReadonlyArray<EventRow>>()
  const found: Array<readonly [ReadonlyArray<EventRow>, ReadonlyArray<EventRow>]> = []
  for (const unit of units) {
    const first = unit[0] as EventRow
    const chain = chainOf(first)
    if (chain === undefined) continue
    const session = `${chain.key} ${chain.session}`
    const before = last.get(session)
    // Without an enrolment, all that follows is inert, and nothing of that session is heard.
    if (before !== undefined && before[0]?.[2] !== "machine-all") found.push([before, unit])
    last.set(session, unit)
  }
  return found
}
