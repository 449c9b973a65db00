/** The check of synchronisation: what this machine knows of the shared log, and what the shared log says now. */

import type { SyncError } from "@context-engine/core/Errors"
import { word } from "@context-engine/core/Shell"
import { type Check, type Finding, ok, trouble, warning } from "@context-engine/core/services/Diagnosis"
import { type SyncStatus, unaddressed, type WrongClock } from "@context-engine/core/services/Sync"
import { cloned } from "@context-engine/core/services/sync/alerts"
import { ofNewer, toPush, wayOut } from "@context-engine/core/services/sync/wayOut"
import { count } from "@context-engine/core/words"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Connection } from "../connection.js"
import { wrongClocks } from "../happened.js"
import { keyFileOf } from "../identity.js"
import { unreadable } from "../obstacle.js"
import { findSigner } from "../Signer.js"
import { type Owner, readEndpoint } from "../sync/config.js"
import { addressOf, type Endpoint, givesTokenAway } from "../sync/endpoint.js"
import { enrolmentOf } from "../sync/enrolling.js"
import { remoteLog } from "../sync/http.js"
import { lastOf, readState, type State, timeNow } from "../sync/state.js"
import { type Own, readTrouble } from "../sync/status.js"
import { touch } from "../sync/touch.js"
import { readUnknown } from "../sync/unknown.js"
import { readMembership } from "../trust/membership.js"
import { readAsked } from "../trust/verdicts.js"
import { log } from "./log.js"

import { glance } from "./look.js"

export interface Options {
  readonly database: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** The file that keeps the endpoint. */
  readonly file: string
  /** Whose connection it is. */
  readonly owner: Owner
  /** The file with this machine's key, or the key itself; nothing where that is off. */
  readonly keyPath?: string | undefined
  /** `CONTEXT_SYNC`, in words. */
  readonly mode: string
  /** How long each answer of the shared log may take. Default 6 seconds. */
  readonly deadline?: Duration.DurationInput
}

/** What this machine remembers of the shared log; asks nobody. */
export const sync = ({ database, env, file, keyPath, mode, owner }: Options): Check => ({
  name: "sync",
  look: Effect.gen(function* () {
    const endpoint = yield* Effect.either(readEndpoint(env, file, owner))
    if (endpoint._tag === "Left") {
      const { field, message, reason } = endpoint.left
      const unread = field === file ? unreadable(file) : undefined
      if (unread !== undefined) return [trouble("sync", `${file} cannot be read: ${unread.found}`, unread.fix)]
      const fix = /chmod/.test(reason) ? `chmod 600 ${word(file)}` : "context infra sync connect <url>"
      return [trouble("sync", field === file ? `${file} ${reason.split(":")[0]}` : message, fix)]
    }
    const seen = (body: (connection: Connection, own: Own) => ReadonlyArray<Finding>) =>
      glance(database, (connection) => body(connection, ownOf(keyPath)))
    if (mode === "off") return [off, ...((yield* seen(known)) ?? [])]
    if (endpoint.right === undefined) return (yield* seen(unconnected)) ?? [alone]
    const where = `${addressOf(endpoint.right.url)}, mode ${mode}`
    if (mode === "remote") return [ok("sync", where)]
    return [ok("sync", where), ...((yield* seen(remembered)) ?? [])]
  }),
})

const told = ({ ahead, at, machine, own, position }: WrongClock): string =>
  `${own ? "this machine's clock" : `the clock of ${machine}`} was wrong by ${Math.round(Math.abs(ahead) / 1000)} s (${ahead > 0 ? "ahead" : "behind"}) when it wrote position ${position}; --at shows that at ${at}`

/** The latest of what clocks stamped wrongly. It stays as it was written; so it is told, and is no trouble any more. */
const clocksOf = (connection: Connection, state: State): ReadonlyArray<Finding> => {
  const [latest, ...others] = wrongClocks(connection, timeNow(state))
  if (latest === undefined) return []
  const more = others.length === 0 ? "" : `, and ${others.length === 19 ? "at least " : ""}${others.length} more`
  return [warning("clock", `${told(latest)}${more}`)]
}

/** What is wrong with the key itself is found by the check of that. */
const ownOf = (keyPath: string | undefined): Own => {
  try {
    return { signer: keyPath === undefined ? undefined : findSigner(keyPath), keyFile: keyFileOf(keyPath) }
  } catch {
    return { signer: undefined }
  }
}

const off = ok("sync", "off (CONTEXT_SYNC=off): nothing is pushed or pulled")
const alone = ok("sync", "not configured: this machine works alone")

/** Where nothing says with whom it is shared: which is what a person wanted, or was forgotten. */
const unconnected = (connection: Connection, own: Own): ReadonlyArray<Finding> => {
  const { logId } = readState(connection)
  const lost = unaddressed({ remote: null, logId, pending: pendingOf(connection) })
  if (lost === undefined) return [alone, ...known(connection, own)]
  return [warning("sync", lost, "context infra sync connect <url>"), ...known(connection, own)]
}

const pendingOf = (connection: Connection): number => {
  const [head] = connection.prepare("SELECT coalesce(max(position), 0) FROM events").get()
  return head - readState(connection).confirmed.position
}

const remembered = (connection: Connection, own: Own): ReadonlyArray<Finding> => {
  const state = readState(connection)
  const pending = pendingOf(connection)
  const now = "context infra sync now"
  const waiting = pending === 0 ? "nothing waits" : `${pending} ${pending === 1 ? "event waits" : "events wait"}`
  const failed = readTrouble(connection, own)
  if (state.logId === null)
    return [
      warning("sync", `never reached; ${waiting}`, failed?.next ?? first(connection, own)),
      ...known(connection, own),
    ]
  const about = `last reached ${state.contactedAt ?? "never"}; ${waiting}`
  return [
    // What keeps it from going on is what leads on.
    pending > 0 ? warning("sync", about, failed?.next ?? now) : ok("sync", about),
    ...known(connection, own),
  ]
}

/** How a log that never met the shared one comes to it. */
const first = (connection: Connection, own: Own): string =>
  toPush({ logId: null, isConnected: true }, enrolmentOf(readMembership(connection), own))

/** What is known of the shared log and of this machine's place in it, reached or not. */
const known = (connection: Connection, own: Own): ReadonlyArray<Finding> => {
  const state = readState(connection)
  const failed = readTrouble(connection, own)
  return [
    ...clocksOf(connection, state),
    ...(failed === null ? [] : [trouble("sync", `${failed.at}: ${failed.message}`, failed.next)]),
    ...clonedSince(lastOf(connection, "cloned")),
    ...readAsked(connection, readMembership(connection)).map(asked),
    ...refusedIn(connection),
    ...newerIn(connection),
  ]
}

const newerIn = (connection: Connection): ReadonlyArray<Finding> => {
  const unknown = readUnknown(connection)
  if (unknown.length === 0) return []
  const { message, next } = ofNewer(unknown)
  return [trouble("sync", message, next)]
}

const refusedIn = (connection: Connection): ReadonlyArray<Finding> => {
  const [rejected] = connection.prepare("SELECT count(*) FROM rejections WHERE status = 'open'").get()
  return rejected === 0 ? [] : [trouble("sync", `refused commands: ${rejected}`, "context infra sync rejected")]
}

const clonedSince = (since: string | null): ReadonlyArray<Finding> => {
  if (since === null) return []
  const { message, next } = cloned(since)
  return [warning("sync", `${since}: ${message}`, next)]
}

const asked = ({ fingerprint, name, position }: SyncStatus["roots"][number]): Finding =>
  trouble(
    "sync",
    `${name} began a root of the log at position ${position}, and nobody here has said whether it is the right one`,
    `context infra machine trust ${fingerprint}, if ${word(name)} shows the same`,
  )

/**
 * What the shared log itself holds that is not well, of a machine that keeps nothing: found in a copy of it that goes with the process,
 * as `alert` and `audit verify` find it there. `copied` gives the path of that, where there is anything.
 */
export const contents = <E>(
  copied: Effect.Effect<string | undefined, E, Scope.Scope>,
  told: (error: E) => Finding | undefined,
): Check => ({
  name: "log",
  look: Effect.scoped(
    Effect.gen(function* () {
      const copy = yield* Effect.either(copied)
      if (copy._tag === "Left") return [told(copy.left)].filter((found) => found !== undefined)
      if (copy.right === undefined) return []
      const refused = (yield* glance(copy.right, refusedIn)) ?? []
      return [...(yield* log(copy.right, { budget: 2_000, rows: true, isCopy: true })), ...refused]
    }),
  ),
})

/** Asks the shared log itself, and where it does not answer what is remembered of its clock: whether it answers, takes the token, may be written to, and what time it has. */
export const sharedLog = ({ database, deadline = Duration.seconds(6), env, file, mode, owner }: Options): Check => ({
  name: "shared log",
  look: Effect.gen(function* () {
    const endpoint = yield* Effect.orElseSucceed(readEndpoint(env, file, owner), () => undefined)
    if (endpoint === undefined || mode === "off") return []
    const expiry = [...inTheOpen(endpoint), ...expiryOf(endpoint)]
    const remote = remoteLog(endpoint, { deadline })
    const answered = yield* Effect.either(Effect.zip(remote.survey([]), Effect.either(touch(remote))))
    if (answered._tag === "Left") {
      const { message, reason } = answered.left
      const skew = yield* glance(database, (connection) => readState(connection).skew)
      return [
        ...expiry,
        trouble("shared log", message, wayOut(reason, { enrolment: "enrolled", roots: [], admins: [] })),
        lastClock(skew ?? undefined),
      ]
    }
    const [survey, { now, write }] = [answered.right[0], readTouch(answered.right[1])]
    const found = survey._tag === "Empty" ? "it is empty" : `it has ${count(survey.head, "event")}`
    return [ok("shared log", `${remote.address} answers; ${found}`), ...expiry, ...write, ...clock(now)]
  }),
})

type Touched = Effect.Effect.Success<ReturnType<typeof touch>>

const readTouch = (touched: Either.Either<Touched, SyncError>) => {
  if (touched._tag === "Right") {
    const { answer, received, sent } = touched.right
    return { now: answer && Date.parse(answer.now) - (sent + received) / 2, write: [ok("token", "may read and write")] }
  }
  const { message, reason } = touched.left
  const fix = "get a token that may write: context infra sync connect <url>"
  const found = reason === "read-only" ? "may only read: what is done here cannot be pushed" : message
  return { now: undefined, write: [warning("token", found, fix)] }
}

/** The clock as it was when the shared log last answered: what is not known now is not called well. */
const lastClock = (skew: number | undefined): Finding => {
  const [last] = clock(skew)
  if (last === undefined) return warning("clock", "not known now")
  return last.level === "ok"
    ? warning("clock", `not known now; it was ${last.found} when that last answered`)
    : { ...last, found: `${last.found} when that last answered` }
}

const clock = (skew: number | undefined): ReadonlyArray<Finding> => {
  if (skew === undefined) return []
  const seconds = Math.round(Math.abs(skew) / 1000)
  if (seconds <= 60) return [ok("clock", "within a minute of the shared log's")]
  const found = `${seconds} s ${skew > 0 ? "behind" : "ahead of"} the shared log's`
  return [warning("clock", found, "timedatectl set-ntp true")]
}

/** A token that anyone on the way can read. */
const inTheOpen = (endpoint: Endpoint): ReadonlyArray<Finding> => {
  if (!givesTokenAway(endpoint)) return []
  const found = `travels unencrypted to ${addressOf(endpoint.url)}`
  return [warning("token", found, "context infra sync connect https://…, unless that network is private")]
}

const day = 86_400_000

/** When the token ends, if it says so: a JWT's `exp`. Nothing else of it is looked at, and nothing of it is shown. */
const expiryOf = ({ token }: Endpoint): ReadonlyArray<Finding> => {
  const ends = token === undefined ? undefined : expiry(Redacted.value(token))
  if (ends === undefined) return []
  const when = new Date(ends).toISOString().slice(0, 16).replace("T", " ")
  const fix = "context infra sync connect <url>, with a new token on its standard input"
  if (ends < Date.now()) return [trouble("token", `expired at ${when} UTC`, fix)]
  if (ends < Date.now() + 7 * day) return [warning("token", `expires at ${when} UTC`, fix)]
  return [ok("token", `good until ${when} UTC`)]
}

const expiry = (token: string): number | undefined => {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"))
    const ends = exp * 1000
    return Number.isFinite(ends) && Math.abs(ends) < 8e15 ? ends : undefined
  } catch {
    return undefined
  }
}
