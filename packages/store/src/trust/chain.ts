/** What rows say of the unit and the chain that they belong to. Nothing of it is believed until the signature holds. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import type { Meta } from "@context-engine/core/Event"
import type { EventRow } from "../record.js"
import { signedBytes, signedOf } from "../Signer.js"
import { holds, keyId } from "./keys.js"

/** The most events that one unit may have. */
const largest = 100_000

/** What an event says of the chain it belongs to. */
export interface Chain {
  readonly key: string
  readonly session: string
  readonly number: number
  readonly previous: string
  readonly count: number
}

/** Reads it; `undefined` where there is none or it is nonsense. Nothing is believed of it yet. */
export const chainOf = (row: EventRow): Chain | undefined => {
  if (typeof row[11] !== "string" || row[13] === null || row[7].length > 20_000) return undefined
  try {
    const { count, key, number, previous, session } = JSON.parse(row[7]) as Meta
    const isSane =
      typeof key === "string" &&
      typeof session === "string" &&
      /^[0-9a-f]{16}$/.test(session) &&
      typeof previous === "string" &&
      Number.isSafeInteger(number) &&
      (number as number) > 0 &&
      Number.isSafeInteger(count) &&
      (count as number) > 0 &&
      (count as number) <= largest
    return isSane ? { key, session, number: number as number, previous, count: count as number } : undefined
  } catch {
    return undefined
  }
}

/** Whether an event makes a root. */
export const isRoot = (row: EventRow): boolean => row[4] === "RootEstablished" && row[2] === machinesStream

/** The key that an event brings with it, if it is the one that it is signed with. */
export const ownKey = (row: EventRow, key: string): string | undefined => {
  try {
    const { publicKey } = JSON.parse(row[6])
    return typeof publicKey === "string" && keyId(publicKey) === key ? publicKey : undefined
  } catch {
    return undefined
  }
}

/** Whether an event is signed with the key that it brings, as a root is. */
export const isSelfSigned = (row: EventRow): boolean => {
  const publicKey = ownKey(row, chainOf(row)?.key ?? "")
  return publicKey !== undefined && holds(publicKey, signedBytes([signedOf(row)], row[1]), row[11] ?? "")
}

/** How many events belong to the unit that an event says it is of; 1 where it says nothing. */
export const claimedCount = (row: EventRow): number => chainOf(row)?.count ?? 1

/** Whose key an event says it is signed with. */
export const claimedKey = (row: EventRow): string | undefined => chainOf(row)?.key

/** Where the rows end that bear the same signature as the one at a place. */
export const endOfRun = (rows: ReadonlyArray<EventRow>, at: number): number => {
  const signature = rows[at]?.[11]
  let end = at + 1
  while (signature !== null && end < rows.length && rows[end]?.[11] === signature) end += 1
  return end
}

/** Rows that follow each other, parted where the signature changes; what has none stands alone. */
export const runsOf = (rows: ReadonlyArray<EventRow>): ReadonlyArray<ReadonlyArray<EventRow>> => {
  const runs: Array<ReadonlyArray<EventRow>> = []
  for (let at = 0; at < rows.length; ) {
    const end = endOfRun(rows, at)
    runs.push(rows.slice(at, end))
    at = end
  }
  return runs
}
