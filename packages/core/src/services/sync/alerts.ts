/** What is wrong between this machine and the shared log. Pure. */
import type { Alert } from "../Alerts.js"
import type { Loss } from "../Audit.js"
import type { PendingRoot } from "../Machines.js"
import { besideRoots, claimed, type SyncStatus, skewLimit, unaddressed, type WrongClock } from "../Sync.js"
import { ofNewer, strange, toBelong, toPush, toTrust, withoutKey } from "./wayOut.js"

/** How long events may wait before that is worth a word, in milliseconds. */
const longest = 600_000

/** What is wrong between this machine and the shared log, at a time in milliseconds since 1970. */
export const syncAlerts = (status: SyncStatus, now: number): ReadonlyArray<Alert> => {
  const { clonedAt, enrolment, lastContact, lastError, logId, loss, skew, unknown, wrongClocks } = status
  const sharing = sharingOf(status)
  const about = (alert: Omit<Alert, "kind" | "subject">): Alert => ({
    kind: "sync",
    subject: "the shared log",
    ...alert,
  })
  const found: Array<Alert> = loss === null ? [] : [lossAlert(loss)]
  if (lastError !== null) {
    const passes = enrolment === "waiting" || ["offline", "busy"].includes(lastError.reason)
    const { message, next } = lastError
    found.push(about({ severity: passes ? "warning" : "error", message, since: lastContact, next }))
  }
  if (status.keyTrouble !== null)
    found.push(about({ severity: "error", message: status.keyTrouble, since: null, next: withoutKey(sharing) }))
  // A log that this machine shares says so by the last error.
  else if (logId === null && lastError === null && ["not-enrolled", "revoked"].includes(enrolment))
    found.push(about({ severity: "error", message: strange, since: null, next: toBelong(sharing) }))
  // Where nothing can be taken over before a person has said so, the last error tells of the root.
  if (lastError?.reason !== "new-root") found.push(...status.roots.map((root) => about(rootAlert(root))))
  const next = toTrust(status.roots[0]) ?? acknowledge
  found.push(...untrusted(status).map((message) => about({ severity: "error", message, since: null, next })))
  found.push(...unshared(status, now).map(about))
  if (skew !== null && Math.abs(skew) > skewLimit) {
    const message = `this machine's clock is ${Math.round(Math.abs(skew) / 1000)} s ${skew < 0 ? "ahead" : "behind"}`
    found.push(about({ severity: "warning", message, since: null, next: "set the clock of this machine" }))
  }
  for (const clock of wrongClocks.filter(({ at, own }) => own && now - Date.parse(at) < news))
    found.push(wrongClock(clock))
  if (clonedAt !== null && now - Date.parse(clonedAt) < news) found.push(about(cloned(clonedAt)))
  if (unknown.length > 0) {
    found.push(about({ severity: "error", since: null, ...ofNewer(unknown) }))
  }
  found.push(...asks(status.asking).map(about))
  return found
}

const sharingOf = ({ logId, remote }: SyncStatus) => ({ logId, isConnected: remote !== null })

/** What is done here and goes nowhere. */
const unshared = (status: SyncStatus, now: number): ReadonlyArray<Omit<Alert, "kind" | "subject">> => {
  const { pending, pendingSince: since } = status
  const lost = unaddressed(status)
  if (lost !== undefined)
    return [{ severity: "warning", message: lost, since, next: "context infra sync connect <url>" }]
  if (since === null || now - Date.parse(since) <= longest) return []
  const next = status.loss?.next ?? status.lastError?.next ?? toPush(sharingOf(status), status.enrolment)
  const message = `${pending === 1 ? "an event waits" : `${pending} events wait`} to be pushed`
  return [{ severity: "warning", message, since, next }]
}

/** Who waits for this machine to decide. How many are told is bounded: whoever holds the token may ask. */
const asks = (asking: SyncStatus["asking"]): ReadonlyArray<Omit<Alert, "kind" | "subject">> => {
  const told = asking.slice(0, named).map(({ fingerprint, name }) => ({
    message: `${name} asks to write to this log; its fingerprint is ${fingerprint}`,
    next: `context infra machine approve ${fingerprint}, if ${name} shows the same; machine revoke turns it away`,
  }))
  const more = asking.length - told.length
  const rest = {
    message: `${more} more ${more === 1 ? "asks" : "ask"} to write to it`,
    next: "context infra machine list",
  }
  return [...told, ...(more === 0 ? [] : [rest])].map((one) => ({ ...one, severity: "warning", since: null }))
}

const rootAlert = (root: PendingRoot): Omit<Alert, "kind" | "subject"> => ({
  severity: "error",
  message: `${root.name} began another root of the log at position ${root.position}: nothing of it counts here until a person has said that it is the right one`,
  since: null,
  next: toTrust(root) as string,
})

const acknowledge =
  "context infra sync status shows them; context infra machine acknowledge, on an admin machine, says that they were seen"

/** How many events are named in an alert: whoever holds the token can make any number of them. */
const named = 3

/** What in the shared log is not to be believed, and whom it claims to be of. */
const untrusted = (status: SyncStatus): ReadonlyArray<string> => {
  const { breaks, inert, inertEvents } = besideRoots(status)
  const first = inertEvents.slice(0, named)
  const told = first.map(
    ({ claims, position, reason, type }) =>
      `${JSON.stringify(type)} at ${position}, which says it is of ${claimed(claims)} (${reason})`,
  )
  const more = inert > first.length ? `, and ${inert - first.length} more` : ""
  const counts = inert === 1 ? "an event counts" : `${inert} events count`
  return [
    ...(inert === 0 ? [] : [`${counts} for nothing: ${told.join("; ")}${more}`]),
    ...breaks.slice(0, named).map(({ message, position }) => `at position ${position}: ${message}`),
    ...(breaks.length > named ? [`and ${breaks.length - named} more breaks in running numbers`] : []),
  ]
}

/** For how long it is news that a clock was wrong, or a key in two places, in milliseconds: what was written then stays as it is. */
const news = 86_400_000

/** That another place writes with this machine's key, as it was noticed at a time. */
export const cloned = (since: string): Omit<Alert, "kind" | "subject"> => ({
  severity: "warning",
  message: "another place writes with this machine's key: a copy of its disk, or an older copy of this file",
  since,
  next: "use a copy of this file that is on this machine (--db) no more; on another machine move the key file away there, so that it makes one of its own, and enrol it (context infra sync connect <url> --invite <code>). If you put an older copy of this file back here yourself, nothing is to be done: this is told for a day",
})

const wrongClock = ({ ahead, at, machine, position }: WrongClock): Alert => ({
  kind: "sync",
  severity: "warning",
  subject: machine,
  message: `this machine's clock was wrong when it wrote position ${position}: ${spanOf(ahead)} ${ahead > 0 ? "ahead" : "behind"}. In the past that --at shows, it happened at ${at}`,
  since: at,
  next: "see that this machine's clock is right, and stays so",
})

const spanOf = (milliseconds: number): string => {
  const seconds = Math.round(Math.abs(milliseconds) / 1000)
  return seconds < 172_800 ? `${seconds} s` : `${Math.round(seconds / 86_400)} days`
}

/** That something is wrong with the file of the log itself. */
export const ofLog = (about: Pick<Alert, "message" | "next" | "since">): Alert => ({
  kind: "log",
  severity: "critical",
  subject: "the log",
  ...about,
})

const lossAlert = ({ message, next, since }: Loss): Alert => ofLog({ message, next, since })
