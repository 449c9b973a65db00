/** Signatures checked off this thread, before the transaction that needs to know. */
import { verify } from "node:crypto"
import type { Membership } from "@context-engine/core/domain/Membership"
import type { EventRow } from "../record.js"
import { signedBytes, signedOf } from "../Signer.js"
import { checkOf } from "./Admission.js"
import { chainOf, isRoot, runsOf } from "./chain.js"
import { publicKeyOf } from "./keys.js"

/** So many wait for a thread at once. */
const many = 256

/**
 * What holds of rows that follow each other, by key, unit and signature. It is a guess which keys will be enrolled: those that
 * are, and those that the rows bring with them. Whatever is not in it is checked where it is judged.
 */
export const verifyAhead = async (
  rows: ReadonlyArray<EventRow>,
  members: Membership,
): Promise<ReadonlyMap<string, boolean>> => {
  const found = new Map<string, boolean>()
  const keys = new Map([...members.machines].map(([id, { publicKey }]) => [id, publicKey]))
  let root = members.root?.eventId ?? ""
  let waiting: Array<Promise<void>> = []
  for (const unit of runsOf(rows)) {
    const [first] = unit as [EventRow]
    const chain = chainOf(first)
    if (chain === undefined) continue
    for (const [id, key] of broughtBy(first)) keys.set(id, key)
    if (isRoot(first)) root = first[1]
    const publicKey = keys.get(chain.key)
    if (publicKey === undefined) continue
    waiting.push(check(publicKey, unit, root, found))
    if (waiting.length < many) continue
    await Promise.all(waiting)
    waiting = []
  }
  await Promise.all(waiting)
  return found
}

/** The keys that an event about members names. */
const broughtBy = (row: EventRow): ReadonlyArray<readonly [string, string]> => {
  if (row[2] !== "machine-all") return []
  try {
    const { machineId, machines = [], publicKey } = JSON.parse(row[6])
    return [{ machineId, publicKey }, ...machines].map((one) => [String(one.machineId), String(one.publicKey)])
  } catch {
    return []
  }
}

const check = (
  publicKey: string,
  unit: ReadonlyArray<EventRow>,
  root: string,
  found: Map<string, boolean>,
): Promise<void> => {
  const key = publicKeyOf(publicKey)
  const signature = unit[0]?.[11] ?? ""
  if (key === undefined) return Promise.resolve()
  const bytes = signedBytes(unit.map(signedOf), root)
  return new Promise((resolve) => {
    verify(null, bytes, key, Buffer.from(signature, "base64"), (error, holds) => {
      if (error === null) found.set(checkOf(publicKey, bytes, signature), holds)
      resolve()
    })
  })
}
