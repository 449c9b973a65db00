/** What waits in a file to be shared, and whose it is. Whoever has the file open passes it on as its own. */
import { isEnrolled } from "@context-engine/core/domain/Membership"
import type { Connection } from "../connection.js"
import { columns, type EventRow } from "../record.js"
import { type Signer, signedBytes, signedOf } from "../Signer.js"
import { readSetting } from "../verifySetting.js"
import { claimedKey, runsOf } from "./chain.js"
import { holds } from "./keys.js"
import { readMembership } from "./membership.js"

/** Whether a key signed a unit, under one of some roots. */
export const isSignedWith = (publicKey: string, unit: ReadonlyArray<EventRow>, roots: Iterable<string>): boolean =>
  [...roots].some((root) => holds(publicKey, signedBytes(unit.map(signedOf), root), unit[0]?.[11] ?? ""))

/** The roots under which something of a file may be signed, that of no root included; none where it has none yet. */
export const rootsIn = (connection: Connection): ReadonlyArray<string> => {
  const { earlier, root } = readMembership(connection)
  return root === null ? [] : ["", root.eventId, ...earlier.map((before) => before.root)]
}

/**
 * Whether a unit is a machine's own word, under one of the roots of its file: only such is signed anew. What somebody put into the
 * file of a signed log stays what it is, and the rule finds it.
 */
export const isOwnWord = (
  signer: Signer | undefined,
  unit: ReadonlyArray<EventRow>,
  roots: ReadonlyArray<string>,
): boolean => signer === undefined || roots.length === 0 || isSignedWith(signer.publicKey, unit, roots)

/**
 * The positions of what waits here and is signed neither by a machine of this log nor by this one's key, if it has one. An
 * unsigned log has no such.
 */
export const strangersThatWait = (connection: Connection, own: Signer | undefined): ReadonlyArray<number> => {
  const { confirmed } = readSetting(connection)
  const members = readMembership(connection)
  if (confirmed === undefined || members.root === null) return []
  const root = members.root.eventId
  const rows = connection
    .prepare(`SELECT ${columns} FROM events WHERE position > ? ORDER BY position`)
    .all(confirmed) as ReadonlyArray<EventRow>
  return runsOf(rows).flatMap((unit) => {
    const key = claimedKey(unit[0] as EventRow) ?? ""
    const enrolled = isEnrolled(members, key) ? members.machines.get(key)?.publicKey : undefined
    const publicKey = key === own?.id ? own.publicKey : enrolled
    const isKnown = publicKey !== undefined && isSignedWith(publicKey, unit, ["", root])
    return isKnown ? [] : unit.map(([position]) => position)
  })
}
