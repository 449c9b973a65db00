/** A machine that leaves the log says so itself, and after that it may not write. */
import type { Connection } from "../connection.js"
import { readMembership } from "../trust/membership.js"
import { readState } from "./state.js"

/** Where this machine said that it may not write any more, if not all know of that: up to there what it wrote is pushed. */
export const lastWord = (connection: Connection, machineId: string): number | undefined => {
  const own = readMembership(connection).machines.get(machineId)
  if (own?.status !== "revoked") return undefined
  return own.position > readState(connection).confirmed.position ? own.position : undefined
}
