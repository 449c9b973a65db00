/** What machines are called, by the ids of their keys. */
import { MachineJoined } from "@context-engine/core/domain/Machine"
import type { Connection } from "../connection.js"
import { fingerprint, keyId } from "./keys.js"
import { readMembership } from "./membership.js"
import { readData } from "./typed.js"

/** Those that are or were enrolled, under any root, and before them those that joined a log older than roots. */
export const readNames = (connection: Connection): ReadonlyMap<string, string> => {
  const { earlier, machines } = readMembership(connection)
  const enrolled = [...earlier.map((before) => before.machines), machines].flatMap((all) => [...all.values()])
  const known = enrolled.filter(({ status }) => status !== "waiting")
  return new Map([...joined(connection), ...known].map(({ machineId, name }) => [machineId, name]))
}

/** What each machine is called, and its fingerprint: also of those that only wait. */
export const readShown = (connection: Connection): ReadonlyMap<string, ReadonlyArray<string>> => {
  const { earlier, machines } = readMembership(connection)
  const all = [...earlier.map((before) => before.machines), machines].flatMap((some) => [...some.values()])
  const named = new Map(all.map((one) => [one.machineId, [one.name, fingerprint(one.publicKey)]] as const))
  for (const { machineId, name, publicKey } of joined(connection))
    if (!named.has(machineId)) named.set(machineId, [name, fingerprint(publicKey)])
  return named
}

/** What a machine was last called in the log, under any root; `undefined` where that knows nothing of it. */
export const nameOf = (connection: Connection, machineId: string): string | undefined =>
  readNames(connection).get(machineId)

/** A root under the name that its machine has elsewhere in the log; where it has none there, under the one that it says itself. */
export const calledAsNow = <A extends { readonly name: string; readonly publicKey: string }>(
  connection: Connection,
  roots: ReadonlyArray<A>,
): ReadonlyArray<A> => {
  if (roots.length === 0) return roots
  const names = readNames(connection)
  return roots.map((root) => ({ ...root, name: names.get(keyId(root.publicKey)) ?? root.name }))
}

const joined = (connection: Connection) =>
  readData(connection, MachineJoined, "machine-*").filter(({ machineId, publicKey }) => keyId(publicKey) === machineId)
