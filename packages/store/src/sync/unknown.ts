/**
 * What only a newer version knows of the log. What waits here and touches the same things is not pushed before this machine knows
 * it, too; nothing else waits for that, and a decision about who may write least of all. Of a machine that was revoked since,
 * nothing is waited for: no version may ever know what a thief made up.
 */
import { machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import type { Connection } from "../connection.js"
import type { EventRow } from "../record.js"
import { readMachine } from "../standing.js"
import { isKnown } from "../trust/judged.js"
import { readMembership } from "../trust/membership.js"
import { readNames } from "../trust/names.js"
import type { Author } from "./author.js"
import { lastWord } from "./lastWord.js"
import { putBack, readTail, takeOut } from "./rebase.js"
import { countRebase, readState, setUnknown } from "./state.js"

/** Events that count, are in the shared log and of types that this version does not know, of machines that may write. */
const newer = `position <= ?1 AND type || '@' || schema IN (SELECT value FROM json_each(?2))
  AND position NOT IN (SELECT position FROM inert)
  AND coalesce(iif(json_valid(meta), meta ->> 'key', ''), '') NOT IN (SELECT value FROM json_each(?3))`

const about = (connection: Connection): readonly [number, string, string] => {
  const { confirmed, unknown } = readState(connection)
  const machines = [...readMembership(connection).machines].filter(([, { status }]) => status === "revoked")
  return [confirmed.position, JSON.stringify(unknown), JSON.stringify(machines.map(([id]) => id))]
}

/** The first event that waits here and touches what only a newer version knows. */
export const heldFrom = (connection: Connection): number | undefined => {
  if (readState(connection).unknown.length === 0) return undefined
  const [first] = connection
    .prepare(
      `SELECT min(position) FROM events WHERE position > ?1 AND stream IN (SELECT stream FROM events WHERE ${newer})`,
    )
    .get(...about(connection))
  return first ?? undefined
}

/** What is not known here, and who wrote it. */
export const readUnknown = (connection: Connection): ReadonlyArray<{ readonly type: string; readonly by: string }> => {
  if (readState(connection).unknown.length === 0) return []
  const names = readNames(connection)
  return connection
    .prepare(
      `SELECT DISTINCT type || '@' || schema, iif(json_valid(meta), coalesce(meta ->> 'key', ''), ''),
       iif(json_valid(meta), meta ->> 'machine', '') FROM events WHERE ${newer} ORDER BY position LIMIT 20`,
    )
    .all(...about(connection))
    .map(([type, key, machine]) => ({ type, by: names.get(key) ?? String(machine) }))
}

/** After an upgrade what was not known may be. */
export const forgetKnown = (connection: Connection): void => {
  const { unknown } = readState(connection)
  const left = unknown.filter((one) => !isKnownAs(one))
  if (left.length < unknown.length) setUnknown(connection, left)
}

const isKnownAs = (one: string): boolean => {
  const at = one.lastIndexOf("@")
  return isKnown(one.slice(0, at), Number(one.slice(at + 1)))
}

/** What this machine wrote before it left is to be pushed before that, too; and a root accepts what precedes it where it stands. */
const isFreeAfter = (connection: Connection, from: number, own: string): ((row: EventRow) => boolean) => {
  const last = lastWord(connection, own)
  return (row) => row[2] === machinesStream && row[0] > from && row[0] !== last && row[4] !== RootEstablished.type
}

/** Whether a decision waits behind what is held, which goes before that. */
export const hasFreeDecision = (connection: Connection): boolean => {
  const from = heldFrom(connection)
  const own = readMachine(connection)
  if (from === undefined || own === undefined) return false
  return readTail(connection, from).some(isFreeAfter(connection, from, own))
}

/** Puts this machine's decisions about who may write before what is held, so that they are pushed. */
export const decisionsFirst = (connection: Connection, author: Author): void => {
  const from = heldFrom(connection)
  if (from === undefined || author.signer === undefined) return
  const { confirmed } = readState(connection)
  const tail = readTail(connection, confirmed.position)
  const isFree = isFreeAfter(connection, from, author.signer.id)
  if (!tail.some(isFree)) return
  countRebase(connection)
  const taken = takeOut(connection, confirmed, tail)
  const rows = [...taken.rows.filter(isFree), ...taken.rows.filter((row) => !isFree(row))]
  putBack(connection, { ...taken, rows }, author)
}
