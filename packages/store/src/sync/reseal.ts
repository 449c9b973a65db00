/**
 * This machine's own units on their way to another place: what was signed stays byte for byte as long as its chain holds. Where a
 * unit before it is another one now, or the log has another root, it is signed anew: same ids, same data, same time.
 */

import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import type { Membership } from "@context-engine/core/domain/Membership"
import type { Meta } from "@context-engine/core/Event"
import { isoTime } from "@context-engine/core/Time"
import type { Connection } from "../connection.js"
import type { EventRow } from "../record.js"
import type { Signer } from "../Signer.js"
import { readShared, readSigning, type Signing, writeSigning } from "../standing.js"
import { anyUnit } from "../trust/chain.js"
import { readLink } from "../trust/links.js"
import { type Draft, lastStated, newSession, sealUnit, unitHash } from "../trust/sealing.js"
import { isOwnWord } from "../trust/waiting.js"
import type { Place } from "./protocol.js"

/**
 * A unit of the tail that stands: as it was written, or, where it is new or has to be another, not signed yet. What another
 * machine signed is nobody else's to sign.
 */
export type Standing =
  | { readonly rows: ReadonlyArray<EventRow>; readonly others: boolean; readonly fresh?: false }
  | { readonly drafts: ReadonlyArray<Draft>; readonly recordedAt: string; readonly fresh: true }

/** What the units come after, under which roots this machine may have signed them before, and all that was taken out with them. */
interface Settled {
  readonly members: Membership
  readonly after: Place
  readonly roots: ReadonlyArray<string>
  readonly tail: ReadonlyArray<EventRow>
}

/** The units as rows without a place, and whether another place was found to use this machine's key. */
export const reseal = (
  connection: Connection,
  units: ReadonlyArray<Standing>,
  signer: Signer | undefined,
  { after, members, roots, tail }: Settled,
): { readonly rows: ReadonlyArray<EventRow>; readonly cloned: boolean } => {
  if (signer === undefined) return { rows: units.flatMap((unit) => unsigned(unit)), cloned: false }
  const begun = chainAt(connection, signer, rootOf(units, members))
  const { skew } = readShared(connection)
  let chain = begun.chain
  let parted = false
  const rows: Array<EventRow> = []
  for (const unit of units) {
    if (!unit.fresh && unit.others) {
      rows.push(...unit.rows)
      continue
    }
    const taken =
      !unit.fresh && begun.same && chainOf(unit.rows)?.session === chain.session && isTaken(unit.rows, begun.chain)
    if (taken && !parted) {
      parted = true
      chain = newSession(signer.id, chain.root)
    }
    const next = !unit.fresh && begun.same ? continued(unit.rows, chain) : undefined
    if (next !== undefined && !unit.fresh) {
      rows.push(...unit.rows)
      chain = next
      continue
    }
    if (!unit.fresh && !isOwnWord(signer, unit.rows, roots)) {
      rows.push(...unit.rows)
      continue
    }
    const drafts = (unit.fresh ? unit.drafts : unit.rows.map(draftOf)).map((draft) =>
      withCutoff(timed(unit, draft, skew), after),
    )
    const recordedAt = unit.fresh ? unit.recordedAt : (unit.rows[0]?.[9] ?? "")
    const sealed = sealUnit(drafts, signer, chain)
    rows.push(...sealed.rows.map((row) => row.with(9, recordedAt) as unknown as EventRow))
    chain = sealed.chain ?? chain
  }
  writeSigning(connection, chain)
  return { rows, cloned: parted && !isFrom(tail, begun.chain) }
}

/** Whether a session ends with a unit of these: then nobody else went on with it, but somebody took out one before. */
const isFrom = (tail: ReadonlyArray<EventRow>, { number, root, session, unit }: Signing): boolean => {
  const last = tail.filter((row) => {
    const chain = chainOf([row])
    return chain?.session === session && chain?.number === number
  })
  return last.length > 0 && unitHash(last, root) === unit
}

/** The chain as the confirmed log has it; `same` where what was signed may still hold. */
const chainAt = (connection: Connection, signer: Signer, root: string) => {
  const known = readSigning(connection)
  if (known?.machine !== signer.id || known.root !== root) return { chain: newSession(signer.id, root), same: false }
  const link = readLink(connection, signer.id, known.session)
  const chain: Signing = {
    ...known,
    number: link?.number ?? 0,
    unit: link?.unit ?? "",
    occurredAt: link?.occurredAt ?? "",
  }
  return { chain, same: true }
}

/** The root that the units will be under: one that is among them comes before the others. */
const rootOf = (units: ReadonlyArray<Standing>, members: Membership): string => {
  for (const unit of units) {
    const [first] = unit.fresh ? unit.drafts : unit.rows
    if (first === undefined) continue
    const [id, type] = Array.isArray(first) ? [first[1], first[4]] : [(first as Draft).id, (first as Draft).type]
    if (type === RootEstablished.type) return id
  }
  return members.root?.eventId ?? ""
}

const chainOf = (rows: ReadonlyArray<EventRow>): Meta | undefined =>
  rows[0]?.[13] == null ? undefined : (JSON.parse(rows[0][7]) as Meta)

/** Whether the log has a unit of this number in the session already, which is not this one. `confirmed`: where it ends there. */
const isTaken = (rows: ReadonlyArray<EventRow>, { number, unit }: Signing): boolean =>
  (chainOf(rows)?.number ?? 0) <= (unit === anyUnit ? number - 1 : number)

/** The chain after a unit that is the next one of it; `undefined` if it is not. */
const continued = (rows: ReadonlyArray<EventRow>, chain: Signing): Signing | undefined => {
  const about = chainOf(rows)
  if (about === undefined || about.key !== chain.machine || about.session !== chain.session) return undefined
  if (about.number !== chain.number + 1 || about.previous !== chain.unit) return undefined
  const occurredAt = lastStated(rows, chain.occurredAt)
  return { ...chain, number: about.number, unit: unitHash(rows, chain.root), occurredAt }
}

/** What is written now has its time by this machine's clock, corrected as that of any command is. */
const timed = ({ fresh, ...unit }: Standing, draft: Draft, skew: number): Draft =>
  !fresh || skew === 0 || ("recordedAt" in unit && unit.recordedAt !== "")
    ? draft
    : { ...draft, occurredAt: isoTime(Date.parse(draft.occurredAt) + skew) }

const unsigned = (unit: Standing): ReadonlyArray<EventRow> =>
  unit.fresh
    ? sealUnit(unit.drafts, undefined, undefined).rows.map((row) => row.with(9, unit.recordedAt) as unknown as EventRow)
    : unit.rows

/** An event as its writer wanted it, without its place in a chain. */
export const draftOf = (row: EventRow): Draft => {
  const { count: _c, index: _i, key: _k, number: _n, previous: _p, session: _s, ...meta } = JSON.parse(row[7]) as Meta
  return { id: row[1], stream: row[2], type: row[4], schema: row[5], data: row[6], meta, occurredAt: row[8] }
}

/** A root accepts what precedes it, wherever that is. */
const withCutoff = (draft: Draft, { hash, position }: Place): Draft => {
  if (draft.type !== RootEstablished.type || draft.stream !== machinesStream) return draft
  return { ...draft, data: canonicalJson({ ...JSON.parse(draft.data), cutoff: { position, hash } }) }
}
