/** How this machine stands to the shared log, from its own file alone. */

import { adminsOf, isAdmin, type Membership } from "@context-engine/core/domain/Membership"
import { type InertEvent, nobodyNamed, type SyncFailure, type SyncStatus } from "@context-engine/core/services/Sync"
import { wayOut, withoutFile } from "@context-engine/core/services/sync/wayOut"
import type { Connection } from "../connection.js"
import { wrongClocks } from "../happened.js"
import { notYet } from "../record.js"
import { hadKey, type Signer } from "../Signer.js"
import { readHead, readMachine } from "../standing.js"
import { readCovered } from "../trust/acknowledged.js"
import { fingerprint } from "../trust/keys.js"
import { readMembership } from "../trust/membership.js"
import { readAsked, readPending } from "../trust/verdicts.js"
import { enrolmentOf, ofRevoked, withheldBy } from "./enrolling.js"
import { type Failure, lastOf, readState, timeNow } from "./state.js"
import { readUnknown } from "./unknown.js"

/** More is counted, not shown: whoever holds the token can make any number of them. */
const shown = 20

/** This machine's key, and where it is kept if that is a file. */
export interface Own {
  readonly signer: Signer | undefined
  readonly keyFile?: string | undefined
  /** Why the key that is there cannot be read. */
  readonly keyError?: string | undefined
  /** Whether the log's file goes with the process. */
  readonly keepsNothing?: boolean | undefined
}

/** `address` is that of the configured shared log, if there is one. */
export const readStatus = (connection: Connection, address: string | null, own: Own): Omit<SyncStatus, "loss"> => {
  const { keyFile, signer } = own
  const state = readState(connection)
  const confirmed = state.confirmed.position
  const alone = address === null && state.logId === null
  const members = readMembership(connection)
  const covered = readCovered(connection, members)
  return {
    remote: address,
    logId: state.logId,
    confirmed,
    pending: alone ? 0 : Math.max(0, readHead(connection).position - confirmed),
    pendingSince: alone ? null : firstOfTail(connection),
    behind: Math.max(0, state.remoteHead - confirmed),
    lastContact: state.contactedAt,
    skew: state.skew,
    // What another shared log was asked is no trouble of a machine that has none.
    lastError: alone ? null : readTrouble(connection, own),
    rejected: countOpen(connection),
    unknown: readUnknown(connection),
    ...inertAfter(connection, covered),
    breaks: connection
      .prepare(`SELECT position, message FROM breaks WHERE position > ? ORDER BY position LIMIT ${shown}`)
      .all(covered)
      .map(([position, message]) => ({ position, message })),
    roots: readAsked(connection, members),
    wrongClocks: wrongClocks(connection, timeNow(state)),
    clonedAt: lastOf(connection, "cloned"),
    keyTrouble: keyTroubleOf(connection, own),
    enrolment: enrolmentOf(members, { keyFile, signer }),
    asking: isAdmin(members, signer?.id ?? "") ? askingOf(members) : [],
  }
}

/**
 * A key is gone where this machine had the one that signed here: then the next command makes another, which nobody has enrolled. That it
 * had it, the file does not tell, for that may be another machine's. One that was revoked is moved away on purpose.
 */
export const keyTroubleOf = (connection: Connection, { keyError, keyFile, signer }: Own): string | null => {
  if (keyError !== undefined) return keyError
  const before = readMachine(connection)
  if (signer !== undefined || keyFile === undefined || before === undefined) return null
  if (!hadKey(keyFile, before)) return null
  if (readMembership(connection).machines.get(before)?.status === "revoked") return null
  return `the key that this machine signed with is gone: there is no ${keyFile}`
}

const askingOf = ({ machines }: Membership): SyncStatus["asking"] =>
  [...machines.values()]
    .filter(({ status }) => status === "waiting")
    .map(({ name, publicKey }) => ({ name, fingerprint: fingerprint(publicKey) }))

/** What the last exchange failed by, with what leads on. */
export const readTrouble = (
  connection: Connection,
  { keepsNothing, keyFile, signer }: Own,
): SyncStatus["lastError"] => {
  const { error } = readState(connection)
  if (error === null || isSettled(connection, error.reason, signer)) return null
  const members = readMembership(connection)
  const stuck = {
    enrolment: enrolmentOf(members, { keyFile, signer }),
    roots: readAsked(connection, members),
    name: members.machines.get(signer?.id ?? "")?.name,
    admins: adminsOf(members),
    keyFile,
    keepsNothing,
  }
  const said = messageOf(error, stuck, signer)
  const message = keepsNothing === true ? withoutFile(said) : said
  return { reason: error.reason, message, at: error.at, next: wayOut(error.reason, stuck) }
}

/** What was said of a key that is not here any more does not hold of what is here now. */
const messageOf = (
  { message }: Failure,
  { enrolment }: Pick<SyncStatus, "enrolment">,
  signer: Own["signer"],
): string => {
  if (enrolment === "revoked" || !message.startsWith(ofRevoked)) return message
  return signer === undefined
    ? "the key that this machine had was revoked, and is not here any more: the next contact makes another, and asks for that to be enrolled. Until then nothing is pushed, and all work is kept here"
    : "the key that this machine had was revoked; it has another one now, and nothing has been asked with that yet. Until then nothing is pushed, and all work is kept here"
}

/** Whether a decision on this machine has settled it since: then nothing has to be done about it but to synchronise. */
const isSettled = (connection: Connection, reason: SyncFailure, signer: Signer | undefined): boolean => {
  if (reason === "new-root") return readPending(connection).length === 0
  if (reason !== "not-enrolled" && reason !== "no-root") return false
  return withheldBy(connection, { signer }) === undefined
}

const firstOfTail = (connection: Connection): string | null =>
  connection
    .prepare("SELECT occurred_at FROM events WHERE position > (SELECT position FROM sync) ORDER BY position LIMIT 1")
    .get()?.[0] ?? null

const countOpen = (connection: Connection): number =>
  connection.prepare("SELECT count(*) FROM rejections WHERE status = 'open'").get()[0]

/** What counts for nothing and no admin has seen. What it says of itself is cut short and nothing else is done with it. */
export const inertAfter = (
  connection: Connection,
  position: number,
): { readonly inert: number; readonly inertEvents: ReadonlyArray<InertEvent> } => {
  const [inert] = connection
    .prepare("SELECT count(*) FROM inert WHERE position > ? AND reason <> ?")
    .get(position, notYet)
  const found = connection
    .prepare(
      `SELECT inert.position, reason, substr(type, 1, 60), substr(meta, 1, 2000) FROM inert
       JOIN events ON events.position = inert.position WHERE inert.position > ? AND reason <> ? ORDER BY inert.position LIMIT ${shown}`,
    )
    .all(position, notYet)
  return {
    inert,
    inertEvents: found.map(([at, reason, type, meta]) => ({ position: at, reason, type, claims: claimsOf(meta) })),
  }
}

/** Who an event says did it, as far as that can be read. */
export const claimsOf = (meta: string): string => {
  try {
    const { actor, machine } = JSON.parse(meta)
    const said = [actor, machine].map((one) => (typeof one === "string" && one !== "" ? one.slice(0, 60) : undefined))
    return said.every((one) => one === undefined) ? nobodyNamed : said.map((one) => one ?? "?").join("@")
  } catch {
    return nobodyNamed
  }
}
