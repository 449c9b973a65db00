/** What leads on from where an exchange failed: the same words for whoever asks alert, doctor or sync status. */
import { word } from "../../Shell.js"
import type { PendingRoot } from "../Machines.js"
import type { SyncFailure, SyncStatus } from "../Sync.js"

/** How this machine stands to the log that it could not be brought together with. */
export interface Stuck extends Pick<SyncStatus, "enrolment" | "roots"> {
  /** What the log calls this machine, if it knows it. */
  readonly name?: string | undefined
  /** The machines that decide who writes. */
  readonly admins: ReadonlyArray<string>
  /** Where this machine's key is kept, if that is a file. */
  readonly keyFile?: string | undefined
  /** Whether it keeps no file of the log, and so never waits to be enrolled. */
  readonly keepsNothing?: boolean | undefined
}

/** What is said of a machine that keeps its log does not hold where nothing is kept. */
export const withoutFile = (message: string): string =>
  message
    .replace(/([;.] until then nothing is pushed)?(, and|;) all work is kept here/i, "")
    .replace(/\. If that was a mistake.*$/s, "")

/** What leads on where a shared log cannot be put right as it is. */
export const outOfDamage =
  "context infra sync heal on the other machines first, and then here again: one that knows more of it may mend it. If that does not help: an empty database in the place of the shared log, under a new token if somebody else may have the old one, then context infra sync heal on each machine, those that are refused like this one before the others, and of them the one that knows most"

/** The command that leads on, or what else to do. */
export const wayOut = (reason: SyncFailure, stuck: Stuck): string => {
  switch (reason) {
    case "not-connected":
    case "unauthorised":
    case "read-only":
      return "context infra sync connect <url>, with a new token on its standard input"
    case "reset":
    case "rolled-back":
      return "context infra sync heal"
    case "foreign":
      return "context infra sync join, or sync connect <url> with the right address"
    case "protocol":
      return "context infra sync heal if the address is right, or sync connect <url> with the right one"
    case "damaged":
      return outOfDamage
    case "to-merge":
      return toJoin
    case "newer-schema":
      return "upgrade context on this machine"
    case "not-enrolled":
      return toEnrol(stuck)
    case "no-root":
      return toTrust(stuck.roots[0]) ?? "context infra machine root, on the machine that is to say who may write"
    case "new-root":
      return (
        toTrust(stuck.roots[0]) ?? "context infra machine list, and machine trust <fingerprint> if it is the right one"
      )
    case "offline":
      return "context infra sync now, when the network and the server that keeps the log are there again; if it is at another address now, context infra sync connect <url>"
    case "busy":
      return "context infra sync now"
    case "full":
      return "make room on the disk, then context infra sync now"
    case "defect":
      return "CONTEXT_DEBUG=1 context infra sync now, and report what it prints"
    default:
      return "context infra doctor"
  }
}

/** How a root that waits for a word gets it. */
export const toTrust = (root: PendingRoot | undefined): string | undefined =>
  root && `context infra machine trust ${root.fingerprint}, if ${root.name} shows the same`

/** A key that was revoked is not taken again: another takes its place. */
export const withNewKey = (keyFile: string | undefined): string =>
  keyFile === undefined
    ? "context infra machine add <name>, on an admin machine, and its line in CONTEXT_KEY"
    : `mv ${word(keyFile)} ${word(`${keyFile}.old`)}, then ${toCome}`

/** Said where this machine has no key, or one that the log does not know: no other is what it signs with. */
export const strange =
  "this machine's key is not enrolled in the log that is here: what is written to it counts on this machine alone, if it can be written at all"

const toCome = "context infra sync connect <url> --invite <code>"

/** How the log that is here is shared: what it is called where it is, and whether there is a connection. */
export interface Sharing {
  readonly logId: string | null
  readonly isConnected: boolean
}

/** What becomes of a log that is not the one that the connection is to. */
const toJoin =
  "context infra sync join, which puts what is here after the log that is shared; or sync disconnect, which leaves it alone"

/** How a machine comes into a log that it does not belong to. One that is shared has somebody who can let it in. */
export const toBelong = ({ isConnected, logId }: Sharing): string => {
  if (logId !== null) return toCome
  if (isConnected) return toJoin
  return `${toCome}, if the log is shared elsewhere; or, if the keys of all its admin machines are lost, context infra machine root --keys-lost`
}

/** What is next for what waits, where nothing has failed: with a log that never met the shared one it needs a person's word. */
export const toPush = (sharing: Sharing, enrolment: SyncStatus["enrolment"]): string =>
  sharing.logId === null && enrolment === "not-enrolled" ? toBelong(sharing) : "context infra sync now"

/** How it goes on where the key that signed here is gone, or is none. */
export const withoutKey = (sharing: Sharing): string =>
  `put the key back from a backup; or move away what is there, and with a new one ${toBelong(sharing)}`

/** How one that waits is let in. */
export const toApprove = (name: string | undefined, admins: ReadonlyArray<string>): string =>
  `context infra machine approve ${name === undefined ? "<name>" : word(name)}, on an admin machine${admins.length === 0 ? "" : ` (${admins.join(", ")})`}; if the keys of all of those are lost, context infra machine root --keys-lost`

const toEnrol = ({ admins, enrolment, keepsNothing, keyFile, name }: Stuck): string => {
  if (keepsNothing === true) return withNewKey(undefined)
  if (enrolment === "revoked") return withNewKey(keyFile)
  if (enrolment === "waiting") return toApprove(name, admins)
  return enrolment === "unsigned" ? "leave out CONTEXT_KEY=off" : toCome
}

/** What only a newer version knows, and what to do about it: what a thief made up no version will ever know. */
export const ofNewer = (unknown: SyncStatus["unknown"]): { readonly message: string; readonly next: string } => {
  const by = [...new Set(unknown.map((one) => one.by))]
  const what = unknown.map((one) => `${one.type} by ${one.by}`).join(", ")
  return {
    message: `it holds what only a newer version knows (${what}): what is done here to the same things is not pushed`,
    next: `upgrade context on this machine; or if ${by.join(" or ")} was stolen, ${by.map((name) => `context infra machine revoke ${word(name)}`).join(" or ")} on an admin machine`,
  }
}
