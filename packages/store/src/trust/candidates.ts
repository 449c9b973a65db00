/** Which machines a new root would enrol beside its own. */
import { MachineJoined, type Role } from "@context-engine/core/domain/Machine"
import type { Connection } from "../connection.js"
import type { Signer } from "../Signer.js"
import { readMembership } from "./membership.js"
import { readData } from "./typed.js"

interface Candidate {
  readonly machineId: string
  readonly name: string
  readonly publicKey: string
  readonly role: Role
}

/**
 * The other machines that a new root would enrol: those that are members, or, in a log older than roots, those that joined it. Admins
 * are none of them: there is another root only because their keys are lost.
 */
export const candidates = (connection: Connection, signer: Signer | undefined): ReadonlyArray<Candidate> => {
  const state = readMembership(connection)
  const enrolled = [...state.machines.values()].filter(({ role, status }) => status === "enrolled" && role === "member")
  const joined = () =>
    readData(connection, MachineJoined, "machine-*").map((data) => ({ ...data, role: "member" as const }))
  const all: ReadonlyArray<Candidate> = state.root === null ? joined() : enrolled
  const byKey = new Map(
    all.map(({ machineId, name, publicKey, role }) => [machineId, { machineId, name, publicKey, role }]),
  )
  return [...byKey.values()].filter(({ machineId }) => machineId !== signer?.id)
}
