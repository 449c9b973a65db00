/** What rows say of the unit and the chain that they belong to. Nothing of it is believed until the signature holds. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { CommandRejected } from "@context-engine/core/domain/Rejection"
import type { Meta } from "@context-engine/core/Event"
import { type EventRow, mostMeta } from "../record.js"
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
  /** Which event of the unit it is; older versions did not say. */
  readonly index: number | undefined
}

/** Reads it; `undefined` where there is none or it is nonsense. Nothing is believed of it yet. */
export const chainOf = (row: EventRow): Chain | undefined => {
  if (typeof row[11] !== "string" || row[13] === null || row[7].length > mostMeta) return undefined
  try {
    return chainIn(JSON.parse(row[7]))
  } catch {
    return undefined
  }
}

const chainIn = ({ count, index, key, number, previous, session }: Partial<Meta>): Chain | undefined => {
  const isSane =
    typeof key === "string" &&
    typeof session === "string" &&
    /^[0-9a-f]{16}$/.test(session) &&
    typeof previous === "string" &&
    Number.isSafeInteger(number) &&
    (number as number) > 0 &&
    Number.isSafeInteger(count) &&
    (count as number) > 0 &&
    (count as number) <= largest &&
    (index === undefined || (Number.isSafeInteger(index) && index >= 0 && index < (count as number)))
  return isSane ? { key, session, number: number as number, previous, count: count as number, index } : undefined
}

/** Where a session of a machine ends. */
export interface Link {
  readonly number: number
  /** The hash of its last unit; `anyUnit` where that is not in the log. */
  readonly unit: string
  /** The latest time that it has stated. */
  readonly occurredAt: string
}

/** Stands for the hash of a unit that is in the log only as refused: what follows it may name any. */
export const anyUnit = "*"

/** The chain of a unit that a refusal carries; a newer version may say it in another shape. */
const carriedBy = (row: EventRow): Chain | undefined => {
  try {
    return chainIn(JSON.parse(row[6]).events[0].meta)
  } catch {
    return undefined
  }
}

/**
 * A machine that puts another's unit back, and finds that it can stand no more, says so in the other's place: the number of that unit
 * is used up. `links` has where the sessions end, `before` where those end that are not there.
 */
export const passRefused = (
  links: Map<string, Link>,
  row: EventRow,
  before: (key: string, session: string) => Link | undefined = () => undefined,
): void => {
  const carried = row[4] === CommandRejected.type ? carriedBy(row) : undefined
  if (carried === undefined || carried.key === claimedKey(row)) return
  const id = `${carried.key} ${carried.session}`
  const end = links.get(id) ?? before(carried.key, carried.session)
  if (carried.number === (end?.number ?? 0) + 1)
    links.set(id, { number: carried.number, unit: anyUnit, occurredAt: end?.occurredAt ?? "" })
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
