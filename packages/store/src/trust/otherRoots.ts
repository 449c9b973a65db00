/** What was signed under another root than the one that counts here: no forgery, and told as what it is. It counts for nothing all the same. */
import { type Membership, unaccepted } from "@context-engine/core/domain/Membership"
import { decode, type EventRow } from "../record.js"
import { signedBytes, signedOf } from "../Signer.js"
import { holds } from "./keys.js"

/** A root that somebody began and that nobody here has accepted. */
export interface Asked {
  readonly eventId: string
  readonly position: number
  readonly machineId: string
  readonly publicKey: string
}

/** Under how many of them a unit is tried: a signature costs something, and whoever holds the token can begin any number. */
const tried = 3

export const wasEnrolled = ({ machines }: Membership["earlier"][number], key: string): boolean =>
  machines.get(key)?.status === "enrolled"

/** Why a unit counts for nothing, if its key signed it under a root before this one, or under one that waits for a person's word. */
export const underOther = (
  { earlier, machines }: Membership,
  asked: ReadonlyArray<Asked>,
  unit: ReadonlyArray<EventRow>,
  key: string,
  /** The public key that the unit brings, where it asks to be let in. */
  brought?: string,
): string | undefined => {
  const signed = unit.map(signedOf)
  const isUnder = (root: string, publicKey: string | undefined) =>
    publicKey !== undefined && holds(publicKey, signedBytes(signed, root), unit[0]?.[11] ?? "")
  const before = earlier.find((one) => wasEnrolled(one, key) && isUnder(one.root, one.machines.get(key)?.publicKey))
  if (before !== undefined) return `${before.machines.get(key)?.name} signed it under the root before this one`
  if (earlier.slice(-tried).some(({ root }) => isUnder(root, brought)))
    return "it was signed under a root before this one"
  const publicKey =
    brought ?? machines.get(key)?.publicKey ?? asked.find(({ machineId }) => machineId === key)?.publicKey
  const waiting = asked.slice(0, tried).find(({ eventId }) => isUnder(eventId, publicKey))
  return waiting && `it was signed under the root at position ${waiting.position}, and ${unaccepted}`
}

/** A root that waits, from its event. */
export const askedOf = (row: EventRow): Asked => {
  const { machineId, publicKey } = decode(row).data as { readonly machineId: string; readonly publicKey: string }
  return { eventId: row[1], position: row[0], machineId, publicKey }
}
