/** What waits in a file to be shared, and whose it is. Whoever has the file open passes it on as its own. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import type { Connection } from "../connection.js"
import { columns, type EventRow } from "../record.js"
import { type Signer, signedBytes, signedOf } from "../Signer.js"
import { readSetting } from "../verifySetting.js"
import { claimedKey, runsOf } from "./chain.js"
import { fingerprint, holds } from "./keys.js"
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

/** Work that waits in a file under the key of a machine that may not write to its log: it asks to be let in, or was revoked. */
export interface Withheld {
  readonly machine: string
  readonly fingerprint: string
  readonly status: "waiting" | "revoked"
  /** Where the first of it stands. */
  readonly position: number
  readonly events: number
}

/** What waits in a file and is neither of this machine nor of one that may write. */
export interface OthersWork {
  readonly withheld: ReadonlyArray<Withheld>
  /** The positions of what no key signed that the log knows. */
  readonly unknown: ReadonlyArray<number>
}

/** An unsigned log has no such. */
export const othersThatWait = (connection: Connection, own: Signer | undefined): OthersWork => {
  const { confirmed } = readSetting(connection)
  const members = readMembership(connection)
  if (confirmed === undefined || members.root === null) return { withheld: [], unknown: [] }
  const roots = ["", members.root.eventId]
  const rows = connection
    .prepare(`SELECT ${columns} FROM events WHERE position > ? ORDER BY position`)
    .all(confirmed) as ReadonlyArray<EventRow>
  const unknown: Array<number> = []
  const withheld = new Map<string, Withheld>()
  for (const unit of runsOf(rows)) {
    const [first] = unit as readonly [EventRow, ...Array<EventRow>]
    const key = claimedKey(first) ?? ""
    const member = members.machines.get(key)
    const publicKey = key === own?.id ? own.publicKey : member?.publicKey
    if (publicKey === undefined || !isSignedWith(publicKey, unit, roots)) unknown.push(...unit.map(([at]) => at))
    else if (member !== undefined && key !== own?.id && member.status !== "enrolled" && first[2] !== machinesStream) {
      const { events, position } = withheld.get(key) ?? { events: 0, position: first[0] }
      const { name: machine, status } = member
      withheld.set(key, {
        machine,
        fingerprint: fingerprint(publicKey),
        status,
        position,
        events: events + unit.length,
      })
    }
  }
  return { withheld: [...withheld.values()], unknown }
}
