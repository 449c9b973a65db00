/**
 * What only a newer version knows of the log. What this machine does to the same things after it is not pushed before it knows that,
 * too; nothing else waits for it, and a decision about who may write least of all. What others wrote and the shared log lost goes
 * back as it was. Of a machine that was revoked since, nothing is waited for: no version may ever know what a thief made up.
 */
import { machinesStream, RootEstablished } from "@context-engine/core/domain/Machine"
import type { Connection } from "../connection.js"
import type { EventRow } from "../record.js"
import { readMachine } from "../standing.js"
import { claimedKey } from "../trust/chain.js"
import { isKnown } from "../trust/judged.js"
import { readMembership } from "../trust/membership.js"
import { readNames } from "../trust/names.js"
import type { Author } from "./author.js"
import { lastWord } from "./lastWord.js"
import { putBack, readTail, takeOut } from "./rebase.js"
import { countRebase, readState, setUnknown } from "./state.js"

const keyOf = (event: string): string => `coalesce(iif(json_valid(${event}.meta), ${event}.meta ->> 'key', ''), '')`

/** Events that count and are of types that this version does not know, of machines that may write; but for what waits here of its own. */
const newer = `newer.type || '@' || newer.schema IN (SELECT value FROM json_each(?1))
  AND newer.position NOT IN (SELECT position FROM inert)
  AND ${keyOf("newer")} NOT IN (SELECT value FROM json_each(?2))
  AND (newer.position <= ?3 OR ${keyOf("newer")} NOT IN ('', ?4))`

const about = (connection: Connection): readonly [string, string, number, string] => {
  const { confirmed, unknown } = readState(connection)
  const machines = [...readMembership(connection).machines].filter(([, { status }]) => status === "revoked")
  const revoked = JSON.stringify(machines.map(([id]) => id))
  return [JSON.stringify(unknown), revoked, confirmed.position, readMachine(connection) ?? ""]
}

/** The first event of this machine that waits here, after one that only a newer version knows and on the same stream. */
export const heldFrom = (connection: Connection): number | undefined => {
  if (readState(connection).unknown.length === 0) return undefined
  const [first] = connection
    .prepare(
      `SELECT min(position) FROM events AS own WHERE position > ?3 AND ${keyOf("own")} IN ('', ?4)
       AND EXISTS (SELECT 1 FROM events AS newer WHERE newer.stream = own.stream AND newer.position < own.position AND ${newer})`,
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
       iif(json_valid(meta), meta ->> 'machine', '') FROM events AS newer WHERE ${newer} ORDER BY position LIMIT 20`,
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
  const isOwn = (row: EventRow) => row[2] === machinesStream && claimedKey(row) === own
  return (row) => isOwn(row) && row[0] > from && row[0] !== last && row[4] !== RootEstablished.type
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
  const start = startOfUnit(tail, from)
  countRebase(connection)
  const taken = takeOut(connection, confirmed, tail)
  const before = taken.rows.filter((row) => row[0] < start)
  const after = taken.rows.filter((row) => row[0] >= start)
  putBack(
    connection,
    { ...taken, rows: [...before, ...after.filter(isFree), ...after.filter((row) => !isFree(row))] },
    author,
  )
}

/** Where the unit begins that an event stands in: one signature is of all of it. */
const startOfUnit = (tail: ReadonlyArray<EventRow>, position: number): number => {
  const signature = tail.find((row) => row[0] === position)?.[11]
  return tail.find((row) => row[11] === signature)?.[0] ?? position
}
