/** Puts a backup in the place of a log: verified first, in a copy of its own. What was there is kept aside, never deleted. */
import { existsSync, lstatSync } from "node:fs"
import { basename, join } from "node:path"
import { isOfWaitingRoot } from "@context-engine/core/domain/Membership"
import { StorageError } from "@context-engine/core/Errors"
import { Audit, type Progress } from "@context-engine/core/services/Audit"
import { count } from "@context-engine/core/words"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Connection, NativeConnection, storageError } from "./connection.js"
import { copyInto } from "./copies.js"
import { copyStill, copyWhatIsThere, notItsOwn } from "./copyStill.js"
import { Database, layer as databaseLayer } from "./Database.js"
import { checkSchema, OwnSchema } from "./fileSchema.js"
import { leadsTo, syncPath } from "./files.js"
import { identify, isLog } from "./identify.js"
import { type Compared, compare, isStrange } from "./likeness.js"
import { noHead, replace } from "./replace.js"
import {
  asItWas,
  headOf,
  leftAlone,
  measuredIn,
  reading,
  refuseObstacles,
  rootsFor,
  unsharedBeside,
  using,
} from "./replacedLog.js"
import { type Believed, differingAsItIs, restate, seesOtherRoots } from "./restate.js"
import { findSigner, type Signer } from "./Signer.js"
import * as SqlAudit from "./SqlAudit.js"
import * as SqlEventLog from "./SqlEventLog.js"
import { staging } from "./staging.js"
import { endChain } from "./standing.js"
import { type Failure, noteError, readState } from "./sync/state.js"
import { begin, nothing, readWritten } from "./thisFile.js"
import { readTurnedDown } from "./trust/decided.js"
import { type OthersWork, othersThatWait, type Withheld } from "./trust/waiting.js"

/** A backup that has been looked at. */
export interface Prepared {
  /** How many events it holds, all of them, also those that were only in the file beside it (`-wal`). */
  readonly events: number
  /** What does not hold, in words. If there is anything, it cannot be put in place. */
  readonly problems: ReadonlyArray<string>
  /** How many rows were not what the events say, whichever of its roots are accepted, and were built anew. */
  readonly differing: number
  /** Whether it has a root that nobody on this machine has accepted, so that what is under it counts for nothing yet. */
  readonly rootWaits: boolean
  /** What waits in it under keys that may not write: it is kept, and told as refused by the next exchange of a machine that may. */
  readonly withheld: ReadonlyArray<Withheld>
  /** How it stands to the log that is there; absent where it cannot be put in place. */
  readonly compared?: Compared
  /** Whether the connection that the log has is that of this one. */
  readonly isConnected: boolean
  /** Puts it in the place of the log. */
  readonly place: Effect.Effect<Placed, StorageError>
}

export interface Placed {
  /** Where the log that was there is now; `null` if there was none. */
  readonly aside: string | null
  /** How many of its events were never shared, and are not in the backup. */
  readonly unshared: number
}

type OnProgress = (progress: Progress) => Effect.Effect<void>

export interface Preparing {
  readonly onProgress?: OnProgress
  /** Whether the log that is there has a connection to a shared one: it is not that of another log. */
  readonly shared?: boolean
  /** Where this machine's key is, which will sign what waits in the backup; absent where it signs nothing. */
  readonly keyPath?: string
  /** Where this machine remembers which roots its person accepted, if it does. */
  readonly memory?: string | undefined
}

/** Takes a copy of a backup and verifies it. Nobody may be writing to the backup; nothing of it is changed. */
export const prepare = (
  backup: string,
  named: string,
  { keyPath, memory, onProgress, shared = false }: Preparing = {},
): Effect.Effect<Prepared, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    // What a link leads to is the log: put in the place of the link, the backup would stand beside it.
    const path = yield* attempt(named, () => leadsTo(named))
    const look = attempt(path, () => isLog(path) && identify(path) === "log")
    yield* look
    yield* attempt(path, () => refuseObstacles(path, { backup, named }))
    const directory = yield* staging(path)
    const copy = join(directory, "backup.db")
    yield* attempt(backup, () => copyStill(backup, copy))
    // The copy is gone when this is read.
    const aboutBackup = ({ message, reason }: StorageError) =>
      new StorageError({ reason, message: message.replaceAll(copy, backup) })
    const own = yield* OwnSchema
    const foreign = yield* Effect.mapError(
      attempt(backup, () => strangeIn(copy, own)),
      (error) => (error.reason === "corrupt" && existsSync(`${backup}-wal`) ? notItsOwn(backup) : aboutBackup(error)),
    )
    const refused = (problems: ReadonlyArray<string>): Prepared => ({
      events: 0,
      problems,
      differing: 0,
      rootWaits: false,
      withheld: [],
      isConnected: false,
      place: new StorageError({ reason: "corrupt", message: `${backup} does not hold: ${problems[0]}` }),
    })
    if (foreign.length > 0) return refused(foreign)
    const signer = yield* attempt(backup, () => (keyPath === undefined ? undefined : findSigner(keyPath)))
    yield* leftAlone(shared, named, path)
    const isThere = yield* look
    const there = join(directory, "there.db")
    const isMixed = yield* Effect.catchIf(
      attempt(path, () => copyWhatIsThere(path, there)),
      // What cannot be read cannot be compared; that there is no room is another matter.
      ({ reason }) => reason !== "full",
      () => Effect.succeed(false),
    )
    const roots = rootsFor(copy, there, { memory, path })
    const turnedDown = reading(there, readTurnedDown) ?? []
    const believed = { roots, turnedDown, signer, measured: measuredIn(there) }
    const { differing, problems, report } = yield* Effect.mapError(verified(copy, believed, onProgress), aboutBackup)
    if (report.replayed !== null) return yield* notForWork(backup, report.replayed)
    if (problems.length > 0) return refused(problems)
    const { unknown, withheld } = yield* attempt(backup, () => othersIn(copy, signer))
    if (unknown.length > 0) return yield* notOurs(backup, unknown)
    const compared = yield* compare(copy, there)
    const final = join(directory, basename(path))
    const others = shared ? othersConnection(copy, there, isStrange(compared.likeness)) : undefined
    yield* attempt(path, () => finish(copy, final, { signer, others }))
    const head = isThere ? headOf(there) : noHead
    const place = Effect.map(
      replace({ final, path, named, backup, head, isMixed }),
      (aside): Placed => ({ aside, unshared: aside === null ? 0 : unsharedBeside(asItWas(aside) ?? there, copy) }),
    )
    const rootWaits = report.findings.some(({ message }) => isOfWaitingRoot(message))
    return {
      events: report.events,
      problems: [],
      differing,
      rootWaits,
      withheld,
      compared,
      isConnected: shared && others === undefined,
      place,
    }
  })

/** Verifies a backup and puts it in place. Gives where the log that was there is now; `null` if there was none. */
export const restore = (backup: string, path: string): Effect.Effect<string | null, StorageError> =>
  Effect.scoped(Effect.flatMap(prepare(backup, path), ({ place }) => Effect.map(place, ({ aside }) => aside)))

/** Before anything of ours runs on it: what was added could act on what we write. */
const strangeIn = (copy: string, own: ReadonlyArray<string>): ReadonlyArray<string> =>
  using(copy, (connection) => checkSchema(connection, own).map(({ message }) => message))

const othersIn = (copy: string, own: Signer | undefined): OthersWork =>
  using(copy, (connection) => othersThatWait(connection, own))

const notOurs = (backup: string, positions: ReadonlyArray<number>) =>
  new StorageError({
    reason: "foreign",
    message: `${backup} holds ${count(positions.length, "event")}, from position ${positions[0]} on, under no key that its log knows, which would be passed on as this machine's own work; restore it on the machine that wrote it, or a backup from before`,
  })

/**
 * Of a backup nothing but its events is believed: all else is made anew from them, and then the whole is verified. Where its events
 * do not hold, it is verified as it is, which says what does not.
 */
const verified = (copy: string, believed: Believed, onProgress: OnProgress | undefined) =>
  Effect.gen(function* () {
    const audit = yield* Audit
    const database = yield* Database
    const differing = yield* Effect.either(database.write((connection) => restated(connection, believed)))
    if (differing._tag === "Left" && differing.left.reason !== "corrupt") return yield* differing.left
    const report = yield* audit.verify(onProgress)
    // What counts for nothing harms nothing: it is kept as what it is.
    const problems = report.findings.filter(({ kind }) => kind !== "inert" && kind !== "sequence")
    const said = problems.map(({ message }) => message)
    if (differing._tag === "Right") return { report, problems: said, differing: differing.right }
    return { report, problems: said.length > 0 ? said : [differing.left.message], differing: 0 }
  }).pipe(
    Effect.provide(
      SqlAudit.layer.pipe(Layer.provideMerge(SqlEventLog.layer()), Layer.provideMerge(databaseLayer(copy))),
    ),
  )

/** Rows that differ because other roots are accepted here were right where they were written: of those only the root is told. */
const restated = (connection: Connection, believed: Believed): number => {
  const asItWas = seesOtherRoots(connection, believed) ? asItIs(connection) : undefined
  const differing = restate(connection, believed)
  return asItWas ?? differing
}

/** `undefined` where it cannot be told: then what does not hold is found by what follows. */
const asItIs = (connection: Connection): number | undefined => {
  try {
    return differingAsItIs(connection)
  } catch {
    return undefined
  }
}

const notForWork = (backup: string, moment: string) =>
  new StorageError({
    reason: "foreign",
    message: `${backup} shows a log as of ${moment}, as audit replay wrote it, and nothing can be written to it; restore takes what context infra backup wrote`,
  })

/**
 * That the connection is not that of the backup: said until it is settled, by an exchange that goes through or by the log that it belongs
 * to. A log that was shared shows with the first exchange whether it is the one, where that is not known.
 */
const othersConnection = (copy: string, there: string, isStrange: boolean): Failure | undefined => {
  const was = reading(there, readState)
  const isOthers = was?.error?.connection !== undefined
  const to = (isOthers ? was.error?.connection : was?.logId) ?? null
  const { logId } = using(copy, readState)
  if (!(isStrange || isOthers) || (logId !== null && (to === null || to === logId))) return undefined
  const message =
    "restore put another log here than the one that is connected to the shared log: nothing of this one is pushed there. Alone it is after context infra sync disconnect"
  return { reason: "foreign", message, connection: to }
}

/** A new file that no connection has ever had open, with all in it, and in the mode that lets many work on it. */
const finish = (
  copy: string,
  final: string,
  { others, signer }: { readonly others: Failure | undefined; readonly signer: Signer | undefined },
): void => {
  using(copy, (from) => {
    // The log may have gone on since.
    endChain(from, signer?.id ?? null)
    begin(from, (readWritten(from) ?? nothing).file)
    if (others !== undefined) noteError(from, others, new Date().toISOString())
    copyInto(from, final)
  })
  const connection = new NativeConnection(final, 0, "")
  try {
    connection.exec("PRAGMA journal_mode = WAL")
  } finally {
    connection.close()
  }
  if (lstatSync(`${final}-wal`, { throwIfNoEntry: false }) !== undefined)
    throw new StorageError({ reason: "unavailable", message: `${final} could not be closed; try again` })
  syncPath(final)
}

const attempt = <A>(path: string, body: () => A): Effect.Effect<A, StorageError> =>
  Effect.try({ try: body, catch: (cause) => storageError(path, cause) })
