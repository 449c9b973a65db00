/** Who may write to the logs of tests: a root with others beside it, invites, approvals and revocations, by the machines' own keys. */
import {
  EnrolmentRequested,
  InviteIssued,
  MachineEnrolled,
  MachineRevoked,
  machinesStream,
  type Role,
} from "@context-engine/core/domain/Machine"
import { EventLog, type NewEvent } from "@context-engine/core/EventLog"
import { projections } from "@context-engine/core/views/all"
import * as Effect from "effect/Effect"
import { insertRows, place } from "../../src/append.js"
import type { Connection } from "../../src/connection.js"
import { decode } from "../../src/record.js"
import { writeRows } from "../../src/rows.js"
import type { Signer } from "../../src/Signer.js"
import { readHead, writeSigning } from "../../src/standing.js"
import { acceptRoot } from "../../src/trust/decided.js"
import { encodeInvite, fingerprint, inviteKey, keyId, newSecret, publicHalf } from "../../src/trust/keys.js"
import { readMembership } from "../../src/trust/membership.js"
import { newSession, rootDraft, sealUnit } from "../../src/trust/sealing.js"
import { uuid } from "./events.js"

const meta = {
  actor: "ada",
  via: "library",
  machine: "test",
  commandId: "00000000-0000-7000-8000-000000000001",
} as const

/** A key with the name it is to have in a log. */
export type Named = Pick<Signer, "id" | "name" | "publicKey">

/** Makes a key the root of an empty log, with others enrolled beside it, as a person was shown them. */
export const establish = (
  connection: Connection,
  signer: Signer,
  others: ReadonlyArray<Named & { readonly role?: Role }> = [],
): string => {
  const head = readHead(connection)
  const now = new Date().toISOString()
  const beside = others.map(({ id, name, publicKey, role = "member" }) => ({ machineId: id, name, publicKey, role }))
  const draft = rootDraft(signer, { meta, occurredAt: now }, { position: head.position, hash: head.hash }, beside)
  const { chain, rows } = sealUnit([draft], signer, newSession(signer.id, draft.id))
  const placed = place(rows, new Map(), head, now)
  insertRows(connection, placed)
  writeRows(connection, projections, placed.map(decode))
  if (chain !== undefined) writeSigning(connection, chain)
  acceptRoot(connection, { eventId: draft.id, publicKey: signer.publicKey })
  connection.prepare("UPDATE checkpoint SET position = ?").run(head.position + 1)
  return draft.id
}

/** An event about who may write, as an admin's program makes it. */
export const aboutMachines = (type: { readonly type: string; readonly schema: number }, data: unknown): NewEvent => ({
  id: uuid(),
  type: type.type,
  schema: type.schema,
  data,
  meta,
  occurredAt: new Date().toISOString(),
})

/** Appends one, signed by the machine that it runs on. */
export const decree = (type: { readonly type: string; readonly schema: number }, data: unknown) =>
  Effect.flatMap(EventLog, (log) =>
    log.append([{ stream: machinesStream, expected: "any", events: [aboutMachines(type, data)] }]),
  )

export const enrol = ({ id, name, publicKey }: Named, role: Role = "member") =>
  decree(MachineEnrolled, { machineId: id, name, publicKey, role })

export const revoke = ({ id, name }: Pick<Named, "id" | "name">) => decree(MachineRevoked, { machineId: id, name })

/** An invite with the code that is its only copy; not in any log yet. */
export const makeInvite = (
  connection: Connection,
  { expiresAt = "2999-01-01T00:00:00.000Z", role = "member" as Role, uses = 1 } = {},
) => {
  const members = readMembership(connection)
  const root = members.machines.get(members.root?.machineId ?? "")
  if (members.root === null || root === undefined) throw new Error("a log without a root has no invites")
  const secret = newSecret()
  const publicKey = publicHalf(inviteKey(secret))
  const code = encodeInvite({ secret, root: members.root.eventId, fingerprint: fingerprint(root.publicKey) })
  return { code, secret, data: { inviteId: keyId(publicKey), publicKey, role, uses, expiresAt } }
}

/** Appends an invite and gives its code. */
export const invite = (connection: Connection, options: Parameters<typeof makeInvite>[1] = {}) => {
  const { code, data } = makeInvite(connection, options)
  return Effect.as(decree(InviteIssued, data), code)
}

/** Enrols every machine that waits. Gives how many there were. */
export const approveAll = (connection: Connection) =>
  Effect.suspend(() => {
    const waiting = [...readMembership(connection).machines.values()].filter(({ status }) => status === "waiting")
    return Effect.as(
      Effect.forEach(waiting, ({ machineId, name, publicKey }) => enrol({ id: machineId, name, publicKey })),
      waiting.length,
    )
  })

/** What a machine appends by itself to be enrolled. */
export const request = ({ id, name, publicKey }: Named, proof: unknown = null): NewEvent =>
  aboutMachines(EnrolmentRequested, { machineId: id, name, publicKey, invite: proof })
