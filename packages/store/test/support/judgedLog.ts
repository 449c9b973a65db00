/** A log in memory to which anything can be appended, and what the rule says of it. */
import { machinesStream } from "@context-engine/core/domain/Machine"
import { seal } from "../../src/append.js"
import type { EventRow } from "../../src/record.js"
import type { Signer } from "../../src/Signer.js"
import { judgeAfter, takeIncoming } from "../../src/sync/judging.js"
import { readMembership } from "../../src/trust/membership.js"
import { establish, type Named, request } from "./enrolment.js"
import { serverAdded } from "./events.js"
import { draft, placed, signed, stranger, type Target } from "./forger.js"
import { memoryDatabase } from "./memoryMachine.js"

export const [root, member, admin, other] = ["root", "member", "admin", "other"].map(stranger) as [
  Signer,
  Signer,
  Signer,
  Signer,
]

/** A log of one machine with a member and an admin beside it, and a server; what comes then is judged and folded. */
export const log = () => {
  const { connection } = memoryDatabase("memory")
  const rootId = establish(connection, root, [member, { ...admin, role: "admin" }])
  const server = draft({ body: serverAdded("alpha").data })
  const take = (rows: ReadonlyArray<EventRow>) => {
    const made = placed(connection, rows)
    const judged = judgeAfter(connection, (made[0] as EventRow)[0] - 1, made)
    if (judged.rows.length > 0) takeIncoming(connection, judged)
    const stored = made.map((row) => connection.prepare("SELECT reason FROM inert WHERE position = ?").get(row[0])?.[0])
    return judged.stop === undefined ? stored : [`stop: ${judged.stop.why}`]
  }
  take(signed([server], root, rootId))
  const target: Target = { root: rootId, victim: member, server: { stream: server.stream, name: "alpha" } }
  const names = () =>
    connection
      .prepare("SELECT name FROM servers ORDER BY name")
      .all()
      .map(([name]) => name)
  const about = (signer: Signer, type: string, data: unknown, more: ReadonlyArray<ReturnType<typeof draft>> = []) =>
    take(signed([draft({ stream: machinesStream, type, body: data }), ...more], signer, rootId))
  const members = () => readMembership(connection)
  return { connection, rootId, take, target, names, about, members }
}

export const dataOf = ({ id, name, publicKey }: Named, role = "member") => ({ machineId: id, name, publicKey, role })
export const asks = (signer: Signer, proof: unknown = null) => {
  const event = request(signer, proof)
  return seal([{ stream: machinesStream, expected: "any", events: [event] }])
}
