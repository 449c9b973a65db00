/** A machine that is not enrolled in the shared log: what keeps it from pushing, and how it asks to be let in. */
import { EnrolmentRequested, machinesStream } from "@context-engine/core/domain/Machine"
import { isEnrolled, isFull, isOpen, type Membership, mostWaiting } from "@context-engine/core/domain/Membership"
import { SyncError } from "@context-engine/core/Errors"
import type { SyncStatus } from "@context-engine/core/services/Sync"
import type { Connection } from "../connection.js"
import type { EventRow } from "../record.js"
import type { Signer } from "../Signer.js"
import { readHead, readMachine } from "../standing.js"
import { claimedKey } from "../trust/chain.js"
import { acceptRoot } from "../trust/decided.js"
import { decodeInvite, fingerprint, inviteKey, prove, publicHalf } from "../trust/keys.js"
import { readMembership } from "../trust/membership.js"
import { nameOf } from "../trust/names.js"
import { type Draft, isOwn, rootDraft } from "../trust/sealing.js"
import { readAsked } from "../trust/verdicts.js"
import { type Author, write } from "./author.js"
import { lastWord } from "./lastWord.js"
import { isWish, readTail, rebase } from "./rebase.js"
import { draftOf } from "./reseal.js"
import { readState } from "./state.js"

/**
 * How this machine stands to the log, its own events that wait included. Where a key file is named that is not there, its next
 * event makes one.
 */
export const enrolmentOf = (
  members: Membership,
  { keyFile, signer }: { readonly signer: Signer | undefined; readonly keyFile?: string | undefined },
): SyncStatus["enrolment"] => {
  if (signer === undefined && keyFile === undefined) return "unsigned"
  if (members.root === null) return "no-root"
  return members.machines.get(signer?.id ?? "")?.status ?? "not-enrolled"
}

/** Why nothing of this machine may be pushed now, and what to do about it. */
export const withheldBy = (connection: Connection, { signer }: Pick<Author, "signer">): SyncError | undefined => {
  const members = readMembership(connection)
  if (members.root === null) {
    if (signer === undefined || hasNothing(connection)) return undefined
    const [asked] = readAsked(connection, members)
    const who =
      asked === undefined
        ? "nobody has said yet who may write to the shared log: on the machine that is to say so, context infra machine root"
        : `${JSON.stringify(asked.name)} began a root of the shared log at position ${asked.position}, and a person has to say whether it is the right one: context infra machine trust ${asked.fingerprint} accepts it, if that machine shows the same; context infra machine acknowledge --roots turns it down`
    return new SyncError({
      reason: "no-root",
      message: `${who}. Until then nothing is pushed, and all work is kept here`,
    })
  }
  if (signer === undefined) return keylessIn(connection, { signer })
  if (isEnrolled(members, signer.id) || lastWord(connection, signer.id) !== undefined) return undefined
  const print = fingerprint(signer.publicKey)
  if (!members.machines.has(signer.id) && isFull(members)) {
    const message = `this machine cannot ask to be enrolled: ${mostWaiting} machines wait already. On an admin machine, context infra machine list shows them and machine revoke turns one away; or take this one in with context infra sync invite. Until then nothing is pushed, and all work is kept here`
    return new SyncError({ reason: "not-enrolled", message })
  }
  const known = members.machines.get(signer.id)
  if (known === undefined) {
    const message = `this machine is not enrolled in the shared log, and has not asked to be; until then nothing is pushed, and all work is kept here. Its fingerprint is ${print}`
    return new SyncError({ reason: "not-enrolled", message })
  }
  const message =
    known.status === "revoked"
      ? `${ofRevoked}: nothing that it writes is taken any more, and all work is kept here. If that was a mistake, context infra machine approve ${known.name} on an admin machine lets all of it through; with a new key it can ask to be enrolled again, as context infra alert says, and what waits is then told as refused, to be given again (context infra sync rejected)`
      : `this machine waits to be enrolled; until then nothing is pushed, and all work is kept here. On an admin machine: context infra machine approve ${known.name}, if its fingerprint there is ${print}`
  return new SyncError({ reason: "not-enrolled", message })
}

/** How what is said of a machine whose key was revoked begins: of another key it does not hold. */
export const ofRevoked = "this machine was revoked"

/** Why nothing is shared of a file that goes on with a signed log, where this process cannot sign. */
export const keylessIn = (connection: Connection, { signer }: Pick<Author, "signer">): SyncError | undefined => {
  if (signer !== undefined || readMembership(connection).root === null) return undefined
  const message =
    "the shared log is signed, and what this machine writes is not (CONTEXT_KEY=off): nothing of it can be pushed"
  return new SyncError({ reason: "not-enrolled", message })
}

/** Whether this machine's own events could be pushed now, for all that the file says. */
export const mayPush = (connection: Connection): boolean => {
  const members = readMembership(connection)
  const own = readMachine(connection) ?? ""
  if (members.root !== null && !isEnrolled(members, own) && lastWord(connection, own) === undefined) return false
  return members.root !== null || own === ""
}

/** Where nobody has written anything yet, the first who does so says who may write. */
const hasNothing = (connection: Connection): boolean => readHead(connection).position === 0

/**
 * A log that is this machine's alone gets its root before it is the shared one, where it is of before there were roots: nobody
 * else could say who may write to it.
 */
export const beginOwn = (connection: Connection, author: Author): void => {
  const { signer } = author
  const { hash, position } = readHead(connection)
  if (signer === undefined || position === 0 || readMembership(connection).root !== null) return
  if (!isOwn(connection, signer)) return
  const meta = { actor: signer.name, via: "library" as const, machine: signer.name, commandId: author.id() }
  const root = rootDraft(signer, { meta, occurredAt: author.now() }, { position, hash }, [])
  rebase(connection, { position, hash }, [], undefined, author, [root])
  acceptRoot(connection, { eventId: root.id, publicKey: signer.publicKey })
}

/** Puts this machine's request before what waits here, once; with the proof of an invite where there is one. Says whether it did. */
export const askToJoin = (connection: Connection, author: Author, invite: string | undefined): boolean => {
  const { signer } = author
  const members = readMembership(connection)
  if (signer === undefined || members.root === null || isEnrolled(members, signer.id)) return false
  const known = members.machines.get(signer.id)
  if (known?.status === "revoked") return false
  const proof = proofFor(members, signer, invite)
  const { confirmed } = readState(connection)
  const there = readMembership(connection, confirmed.position)
  const tail = readTail(connection, confirmed.position)
  if (proof === null && (isFull(there) || hasAsked(there, tail, signer))) return false
  // Under a new root it is called what an admin called it before, and not what its host is.
  const name = nameOf(connection, signer.id) ?? signer.name
  const data = { machineId: signer.id, name, publicKey: signer.publicKey, invite: proof }
  const meta = { actor: signer.name, via: "library" as const, machine: signer.name, commandId: author.id() }
  // One that is here already, behind what the shared log lost, only goes before that: it stays the same event.
  const before = proof === null ? tail.find((row) => isWish(row) && claimedKey(row) === signer.id) : undefined
  const wish: Draft =
    before === undefined ? write(author, machinesStream, EnrolmentRequested, data, meta) : draftOf(before)
  rebase(connection, confirmed, tail, undefined, author, [wish])
  return true
}

/** Whether this machine's request is in the shared log, or the next thing to be pushed: behind other work it would never arrive. */
const hasAsked = (there: Membership, tail: ReadonlyArray<EventRow>, signer: Signer): boolean =>
  there.machines.has(signer.id) || tail.slice(0, 1).some(isWish)

/**
 * Where other machines began roots that nobody has judged, a newcomer cannot know which log it comes to: it asks nobody to be let
 * in before a person, or an invite, has said so.
 */
export const rootsInDoubt = (
  connection: Connection,
  { signer }: Author,
  invite: string | undefined,
): SyncError | undefined => {
  const members = readMembership(connection)
  if (signer === undefined || members.root === null || members.machines.has(signer.id)) return undefined
  // Who went from one root to another has said which is right.
  if (members.earlier.length > 0) return undefined
  if (invite !== undefined && decodeInvite(invite)?.root === members.root.eventId) return undefined
  const [other] = readAsked(connection, members)
  if (other === undefined) return undefined
  const root = members.machines.get(members.root.machineId)
  const message = `this log has more than one root: ${root?.name ?? "a machine"} began it, and at position ${other.position} ${other.name} began another. A person has to say which is right: context infra machine trust ${other.fingerprint}, if ${other.name} shows the same; if it is the first, come with an invite of one of its admins (context infra sync invite)`
  return new SyncError({ reason: "new-root", message })
}

/** The proof of a code, if it is one of this log and its invite is open. */
const proofFor = (members: Membership, { publicKey }: Signer, invite: string | undefined) => {
  const code = invite === undefined ? undefined : decodeInvite(invite)
  if (code === undefined || members.root === null || code.root !== members.root.eventId) return null
  const ours = publicHalf(inviteKey(code.secret))
  const found = [...members.invites.values()].find((one) => one.publicKey === ours && isOpen(one))
  return found === undefined ? null : { inviteId: found.inviteId, proof: prove(code.secret, code.root, publicKey) }
}

/** Refuses a code that is for another log or another root than the one that was met. `now` is the shared log's clock. */
export const checkInvite = (members: Membership, invite: string, now: number): SyncError | undefined => {
  const refuse = (message: string) => new SyncError({ reason: "not-enrolled", message })
  const code = decodeInvite(invite)
  if (code === undefined) return refuse("this is no invite; it is what context infra sync invite prints, whole")
  const root = members.machines.get(members.root?.machineId ?? "")
  if (members.root?.eventId !== code.root || root === undefined || fingerprint(root.publicKey) !== code.fingerprint)
    return refuse("the invite is for another log than the one at this address, or somebody put another in its place")
  const ours = publicHalf(inviteKey(code.secret))
  const found = [...members.invites.values()].find((one) => one.publicKey === ours)
  if (found === undefined)
    return refuse("the log does not have this invite (yet); the machine that made it has to synchronise first")
  if (!isOpen(found) || Date.parse(found.expiresAt) < now)
    return refuse(
      "this invite was used up, withdrawn or has expired, or who made it is no admin any more; make another with context infra sync invite",
    )
  return undefined
}
