/** One log on many machines, over a local file and a shared log. */
import { isEnrolled } from "@context-engine/core/domain/Membership"
import { type StorageError, SyncError } from "@context-engine/core/Errors"
import { EventLog } from "@context-engine/core/EventLog"
import { ReadModels } from "@context-engine/core/ReadModels"
import { type Rejected, Sync, type SyncOptions, type SyncReport } from "@context-engine/core/services/Sync"
import { makeSettling } from "@context-engine/core/services/sync/settling"
import { count } from "@context-engine/core/words"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Connection } from "../connection.js"
import { refuseCut } from "../cut.js"
import { Database } from "../Database.js"
import { keyFileOf } from "../identity.js"
import { refuseReplay } from "../mayWrite.js"
import { genesis } from "../record.js"
import { findSigner, loadSigner } from "../Signer.js"
import { readHead, readShared, readStanding } from "../standing.js"
import { decodeInvite, isKeyLine, rootOfLine } from "../trust/keys.js"
import { readMembership } from "../trust/membership.js"
import { type Parts, Tally } from "./asking.js"
import { author } from "./author.js"
import { meet } from "./contact.js"
import { checkInvite } from "./enrolling.js"
import { exchangeAll, isPushable, progress, pullAll } from "./exchangeAll.js"
import { bindMerged, firstContact } from "./firstContact.js"
import { heal as healShared } from "./healing.js"
import { acquire, acquireWhenFree } from "./lock.js"
import { forgetDisplaced } from "./lost.js"
import { ownSessions } from "./ownSessions.js"
import type { RemoteLog } from "./RemoteLog.js"
import { regain } from "./regaining.js"
import { bind, type Failure, note, noteError, noteSuccess, readHistory, readState } from "./state.js"
import { readStatus } from "./status.js"
import { touch } from "./touch.js"
import { isOfOther, unread } from "./unread.js"
import { checkRoot, pullRemembered, pullVouched } from "./vouching.js"

type Failed = SyncError | StorageError

export interface Options {
  /** The file with this machine's key, or the key itself as one line, which signs what it says of commands that could not stand. */
  readonly keyPath?: string
  /** The shared log; without one, this machine works alone. An effect is asked each time, where it may become another. */
  readonly remote?: RemoteLog["Type"] | Effect.Effect<RemoteLog["Type"] | undefined>
  /** Whether the file goes with the process, as that of a job does: then it makes no key to synchronise, and asks nobody to be let in. */
  readonly keepsNothing?: boolean
}

/** Synchronisation of the local database with a shared log. */
export const layer = (options: Options): Layer.Layer<Sync, never, Database | EventLog | ReadModels> =>
  Layer.effect(
    Sync,
    Effect.gen(function* () {
      const database = yield* Database
      const models = yield* ReadModels
      const ownKey = Effect.map(ownSigner(options), (signer) => signer?.id)
      return Sync.of({ ...make(database, options), ...makeSettling(models, yield* EventLog, ownKey) })
    }),
  )

/** This machine's key, where it has one that can be read: for looks, which make none. */
const ownSigner = ({ keyPath }: Options) => Effect.orElseSucceed(readOwn(keyPath), () => undefined)

const readOwn = (keyPath: string | undefined) =>
  Effect.try({
    try: () => (keyPath === undefined ? undefined : findSigner(keyPath)),
    catch: (error) => error as Error,
  })

const make = (database: Database["Type"], { keepsNothing = false, keyPath, remote }: Options) => {
  const keyFile = keyFileOf(keyPath)
  const shared = Effect.isEffect(remote) ? remote : Effect.succeed(remote)
  const isLive = database.read((connection) => refuseReplay(readShared(connection)))
  const connected = Effect.flatMap(shared, (one) => (one === undefined ? notConnected : Effect.succeed(one)))
  const signing = ({ reading = false }: SyncOptions) =>
    Effect.try({
      try: () => (keyPath === undefined ? undefined : (reading || keepsNothing ? findSigner : loadSigner)(keyPath)),
      catch: (error) => error as StorageError,
    })
  const partsFor = Effect.fnUntraced(function* (options: SyncOptions) {
    const vouched = keyPath !== undefined && isKeyLine(keyPath) ? rootOfLine(keyPath) : undefined
    return { database, remote: yield* connected, author: author(yield* signing(options)), vouched } satisfies Parts
  })

  /** Whether it could be done alone on this machine. */
  const alone = (wait: boolean, way: Effect.Effect<void, Failed>): Effect.Effect<boolean, Failed> =>
    Effect.scoped(
      Effect.tap(
        wait ? Effect.as(acquireWhenFree(database.path, "sync", "50 millis"), true) : acquire(database.path, "sync"),
        (free) => (free ? way : Effect.void),
      ),
    ).pipe(
      // The lock is a file beside the log's: where that is gone, the lock says nothing.
      (locked) => Effect.zipRight(database.check, locked),
    )

  /** Runs one way of synchronising, alone on this machine, and remembers how it ended. */
  const run = (given: SyncOptions, way: Way): Effect.Effect<SyncReport, Failed> =>
    Effect.gen(function* () {
      // With an invite it is let in at once, by a person's word; without one it would wait, and somebody else would come next time.
      const options = keepsNothing && given.invite === undefined ? { ...given, asks: false } : given
      const started = performance.now()
      const tally = new Tally()
      const parts = yield* partsFor(options)
      const onRejected = (one: Rejected) => void tally.rejected.push(one)
      const regains = (yield* database.memory.look) !== null
      const sessions = parts.author.signer === undefined ? undefined : ownSessions(keyPath)
      const ready = { ...parts, author: { ...parts.author, onRejected, regains, sessions } }
      const wait = options.wait ?? false
      const free = yield* alone(wait, Effect.zipRight(whole(ready, way), way(ready, tally, options)))
      // Whoever appended before the lock was let go, and found it taken, left that to us.
      for (let ours = free; ours && (yield* database.read(isPushable)); )
        ours = yield* alone(wait, exchangeAll(ready, tally, options))
      if (options.onRejected !== undefined) yield* Effect.forEach(tally.untold, options.onRejected, { discard: true })
      const { confirmed, pending } = yield* database.write((connection) => {
        if (free) noteSuccess(connection, way === heal)
        if (tally.pushed + tally.pulled > 0) note(connection, { at: now(), what: "synced", detail: inWords(tally) })
        const ended = progress(connection)
        const { logId } = readState(connection)
        if (logId !== null && sessions?.since(logId) === undefined) sessions?.begin(logId, ended.confirmed)
        if (free && ended.pending === 0) forgetDisplaced(connection)
        return ended
      })
      const { moved, pulled, pushed, rejected, roundTrips } = tally
      const duration = (performance.now() - started) / 1000
      return { skipped: !free, pushed, pulled, moved, rejected, roundTrips, confirmed, pending, duration }
    }).pipe(
      Effect.tapErrorCause((cause) => remember(database, cause)),
      // A file that shows the past keeps no word of what was tried with it.
      (exchange) => Effect.zipRight(isLive, exchange),
    )

  return {
    status: Effect.gen(function* () {
      const one = yield* shared
      const own = yield* Effect.either(readOwn(keyPath))
      const [signer, keyError] = own._tag === "Right" ? [own.right, undefined] : [undefined, own.left.message]
      const loss = yield* database.memory.look
      const status = yield* database.read((connection) =>
        readStatus(connection, one?.address ?? null, { signer, keyFile, keyError, keepsNothing }),
      )
      return { ...status, loss }
    }),
    now: Effect.fn("Sync.now")((options: SyncOptions = {}) => run(options, catchUp)),
    log: (limit = 50) => database.read((connection) => readHistory(connection, limit)),
    writable: Effect.asVoid(Effect.flatMap(connected, touch)),
    contact: Effect.gen(function* () {
      yield* isLive
      const one = yield* connected
      const signer = yield* signing({ reading: true })
      return yield* meet(database, one, signer?.id)
    }),
    heal: Effect.fn("Sync.heal")((options: SyncOptions = {}) => run(options, heal)),
    join: Effect.fn("Sync.join")((options: SyncOptions = {}) => run(options, join)),
    // Not in the middle of a synchronisation, which would go on with what it knew.
    disconnect: Effect.scoped(
      Effect.all([database.check, acquireWhenFree(database.path, "sync", "50 millis"), database.write(forget)], {
        discard: true,
      }),
    ),
  }
}

/** Whatever an exchange fails by is kept, for whoever asks how this machine stands: also a bug, which ends it all the same. */
const remember = (database: Database["Type"], cause: Cause.Cause<Failed>): Effect.Effect<void> => {
  const failure = failureOf(cause)
  // A file that cannot be written to says so by the error itself.
  return failure === undefined ? Effect.void : Effect.ignore(database.write((c) => noteError(c, failure, now())))
}

const failureOf = (cause: Cause.Cause<Failed>): Failure | undefined => {
  const failed = Option.getOrUndefined(Cause.failureOption(cause))
  if (failed !== undefined) return failed.reason === "not-connected" ? undefined : failed
  const defect = Option.getOrUndefined(Cause.dieOption(cause))
  if (defect === undefined) return undefined
  const what = defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)
  return { reason: "defect", message: `a bug in context: ${what.slice(0, 300)}` }
}

type Way = (parts: Parts, tally: Tally, options: SyncOptions) => Effect.Effect<void, Failed>

const catchUp: Way = (parts, tally, options) =>
  Effect.gen(function* () {
    const isFresh = yield* parts.database.read((c) => readState(c).logId === null && readHead(c).position === 0)
    const restoreUntil = yield* firstContact(parts)
    yield* Effect.tapError(goOn(parts, tally, options, restoreUntil), (error) =>
      isFresh && options.invite !== undefined && isOfOther(error) ? unlessHeard(parts) : Effect.void,
    )
  }).pipe(Effect.catchTag("SyncError", (error) => Effect.flatMap(knownDamage(parts, error), (known) => known ?? error)))

/**
 * Of a file whose end was cut off, what was shared comes back first. What was not is in its rows still, and in no event: nothing is decided
 * by those, and nobody is told that it is there.
 */
const whole = (parts: Parts, way: Way): Effect.Effect<void, Failed> =>
  Effect.zipRight(
    regain(parts),
    parts.database.read((connection) => {
      const standing = readStanding(connection)
      // Where the shared log lacks it as well, an exchange says so, and does nothing.
      if (way !== catchUp || standing.head.position >= standing.shared.position) refuseCut(standing)
    }),
  )

/** What heal has found already: where it could do nothing, it is not what leads on from the same trouble. */
const knownDamage = ({ database }: Parts, { reason }: SyncError): Effect.Effect<SyncError | undefined, StorageError> =>
  Effect.map(database.read(readState), ({ error }) =>
    error?.reason === "damaged" && ["protocol", "foreign", "rolled-back"].includes(reason)
      ? new SyncError({ reason: "damaged", message: error.message })
      : undefined,
  )

/** Forgets what was read, unless this machine was heard there: then it is the log that the invite was for, and used up meanwhile. */
const unlessHeard = ({ author, database }: Parts): Effect.Effect<void, StorageError> =>
  Effect.flatMap(
    database.read((c) => readMembership(c, confirmedOf(c)).machines.has(author.signer?.id ?? "")),
    (heard) => (heard ? Effect.void : unread(database)),
  )

/** Exchanges, after what an invite is for: this machine's enrolment. Up to `restoreUntil` events keep their times. */
const goOn = (parts: Parts, tally: Tally, options: SyncOptions, restoreUntil: number): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    if (parts.vouched !== undefined) yield* checkRoot(parts, tally, parts.vouched)
    yield* pullRemembered(parts, tally)
    if (options.invite !== undefined) yield* present(parts, tally, options.invite)
    yield* exchangeAll(parts, tally, options, restoreUntil)
  })

/** Learns what the shared log says of an invite, before anything of this machine is written there. */
const present = (parts: Parts, tally: Tally, invite: string): Effect.Effect<void, Failed> =>
  Effect.gen(function* () {
    const { author, database } = parts
    const members = yield* database.read((connection) => readMembership(connection, confirmedOf(connection)))
    if (isEnrolled(members, author.signer?.id ?? "")) return
    const code = decodeInvite(invite)
    yield* code === undefined ? pullAll(parts, tally) : pullVouched(parts, tally, code)
    const refused = yield* database.read((connection) => {
      const { confirmed, skew } = readState(connection)
      // By the clock that all machines share: that of this one may be wrong by more than an invite lasts.
      return checkInvite(readMembership(connection, confirmed.position), invite, Date.now() + (skew ?? 0))
    })
    if (refused !== undefined) return yield* refused
  })

const confirmedOf = (connection: Connection): number => readState(connection).confirmed.position

const forget = (connection: Connection): void => {
  const { logId } = readState(connection)
  if (logId !== null) note(connection, { at: now(), what: "disconnected", detail: `from the log ${logId}` })
  bind(connection, null, { position: 0, hash: genesis })
}

const notConnected = Effect.suspend(() => {
  const message =
    "no shared log is configured; set TURSO_URL and TURSO_AUTH_TOKEN, or run context infra sync connect <url>"
  return new SyncError({ reason: "not-connected", message })
})

const now = () => new Date().toISOString()

const inWords = ({ moved, pulled, pushed, rejected }: Tally): string => {
  const refused = rejected.filter(({ outcome }) => outcome === "refused").length
  const moot = rejected.length - refused
  return [`${pushed} pushed`, `${pulled} pulled`, moved && `${moved} put after them`, refused && `${count(refused, "command")} refused`, moot && `${count(moot, "command")} with nothing left to do`] // biome-ignore format: one list
    .filter(Boolean)
    .join(", ")
}

/** A log that was never shared has nothing to be given back. */
const heal: Way = (parts, tally, options) =>
  Effect.gen(function* () {
    const { logId } = yield* parts.database.read(readState)
    if (logId === null) return yield* catchUp(parts, tally, options)
    const { memory } = parts.database
    const lacked = yield* memory.look
    yield* healShared(parts, tally, options, logId)
    // By a person's word this is the log from here on, and may be shorter: what counted for nothing is not given back.
    if (lacked === null) yield* memory.accept
  })

/** Joins the log that is there, whether another one was known before or none. Nothing of either is lost. */
const join: Way = (parts, tally, options) =>
  Effect.gen(function* () {
    const { memory } = parts.database
    const lacked = yield* memory.look
    const met = yield* meet(parts.database, parts.remote, parts.author.signer?.id)
    if (met.state === "foreign") yield* bindMerged(parts, met, options)
    const restoreUntil = yield* firstContact(parts, options)
    // However it ends, this is the log from here on, by a person's word: it begins with other events than the one that was here.
    // What a file lacked that was lost before is not given up by that.
    const settle = lacked === null ? Effect.ignore(memory.accept) : Effect.void
    yield* Effect.ensuring(goOn(parts, tally, options, restoreUntil), settle)
  })
