/** Port: one log on many machines. This machine's log is brought together with the one that all of them share. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type {
  Ambiguous,
  InvalidInput,
  NotFound,
  StorageError,
  SyncError,
  UniqueViolation,
  VersionConflict,
} from "../Errors.js"
import type { RejectionRow } from "../views/rejections.js"
import { count } from "../words.js"
import type { Loss } from "./Audit.js"
import type { PendingRoot } from "./Machines.js"

/** What an exchange may fail by: the shared log, this machine's own file, or a bug. */
export type SyncFailure = SyncError["reason"] | StorageError["reason"] | "defect"

/** How this machine stands to the shared log, as far as it knows without asking. */
export interface SyncStatus {
  /** The address of the shared log, without anything secret; `null` where none is configured. */
  readonly remote: string | null
  /** Names the shared log; `null` before the first contact. */
  readonly logId: string | null
  /** The last event that is known to be in the shared log. */
  readonly confirmed: number
  /** How many events wait to be pushed. */
  readonly pending: number
  /** When the first of them was appended; `null` where none waits. */
  readonly pendingSince: string | null
  /** How far the shared log was ahead at the last contact. */
  readonly behind: number
  readonly lastContact: string | null
  /** The shared log's clock less this machine's, in milliseconds; `null` before the first contact, and since the clock was set. */
  readonly skew: number | null
  /** What the last exchange failed by, with what leads on; `null` since one has succeeded, or a decision here has settled it. */
  readonly lastError: {
    readonly reason: SyncFailure
    readonly message: string
    readonly at: string
    readonly next: string
  } | null
  /** Commands that were refused and that nobody has dealt with. */
  readonly rejected: number
  /**
   * Events of types or shapes that only a newer version knows (`MoonLanded@1`), and who wrote them. What waits here and touches the
   * same things is not pushed meanwhile.
   */
  readonly unknown: ReadonlyArray<{ readonly type: string; readonly by: string }>
  /** How many events of the shared log count for nothing, and no admin has acknowledged. */
  readonly inert: number
  /** The first of them, and who they say they are of: at most 20. */
  readonly inertEvents: ReadonlyArray<InertEvent>
  /** What is wrong with the running numbers of machines: units that are missing, doubled or out of order. At most 20. */
  readonly breaks: ReadonlyArray<{ readonly position: number; readonly message: string }>
  /** Roots that other machines began and that nobody here has accepted, nor an admin acknowledged: a person says which is right. */
  readonly roots: ReadonlyArray<PendingRoot>
  /** The latest events that a clock stamped wrongly by more than a minute, the latest first: at most 20. */
  readonly wrongClocks: ReadonlyArray<WrongClock>
  /** When it was last seen here that another place writes with this machine's key; `null` if it never was. */
  readonly clonedAt: string | null
  /** Why nothing can be signed here, though this file was written to with a key: that is gone, or cannot be read. `null` if all is well. */
  readonly keyTrouble: string | null
  /** Whether this machine may write to the log; `unsigned` where nothing is signed, `no-root` where nobody says who may. */
  readonly enrolment: "enrolled" | "waiting" | "revoked" | "not-enrolled" | "no-root" | "unsigned"
  /** The machines that wait to be let in; none unless this machine is one that decides who writes. */
  readonly asking: ReadonlyArray<{ readonly name: string; readonly fingerprint: string }>
  /** What this log lacks of what this machine has seen of it, shared or not; `null` if nothing. */
  readonly loss: Loss | null
}

/** An event whose writer's clock was wrong by at least so much when it was written. */
export interface WrongClock {
  readonly position: number
  /** Whose clock, and whether that is this machine. */
  readonly machine: string
  readonly own: boolean
  /** In milliseconds; behind is less than 0. */
  readonly ahead: number
  /** When it happened, as far as that can be told. */
  readonly at: string
}

/** An event that counts for nothing. What it says of itself is not to be believed. */
export interface InertEvent {
  readonly position: number
  readonly reason: string
  /** Who it says did it: `actor@machine`. */
  readonly claims: string
  readonly type: string
}

/** Who did an event that names nobody who could have. */
export const nobodyNamed = "nobody it names"

/** Whom an event says it is of, in quotes: whoever wrote it chose the words. */
export const claimed = (claims: string): string => (claims === nobodyNamed ? claims : JSON.stringify(claims))

/** What the shared log has that is not to be believed. */
export type Untrusted = Pick<SyncStatus, "breaks" | "inert" | "inertEvents">

/** The same beside the roots that wait for a person's word, each of which is told by itself. */
export const besideRoots = ({
  breaks,
  inert,
  inertEvents,
  roots,
}: Untrusted & Pick<SyncStatus, "roots">): Untrusted => {
  const others = inertEvents.filter(({ position }) => !roots.some((root) => root.position === position))
  return { breaks, inert: inert - (inertEvents.length - others.length), inertEvents: others }
}

/**
 * That a log is shared, and nothing here says where: its file was copied or moved, or the environment lacks what it had. A log that a
 * person disconnected is not shared any more.
 */
export const unaddressed = ({
  logId,
  pending,
  remote,
}: Pick<SyncStatus, "logId" | "pending" | "remote">): string | undefined => {
  if (remote !== null || logId === null) return undefined
  const waiting = pending === 0 ? "nothing waits" : `${count(pending, "event")} ${pending === 1 ? "waits" : "wait"}`
  return `this log is shared, but no address for it is configured here: ${waiting}, and nothing is pushed or pulled`
}

/** From how many milliseconds on a clock counts as wrong: times in the log are the shared log's, those on screens are not. */
export const skewLimit = 60_000

/** What one synchronisation did. */
export interface SyncReport {
  /** Another process of this machine was at it already: nothing was done. */
  readonly skipped: boolean
  readonly pushed: number
  readonly pulled: number
  /** Local events that were put after others' that came first. */
  readonly moved: number
  readonly rejected: ReadonlyArray<Rejected>
  readonly roundTrips: number
  readonly confirmed: number
  /** What still waits: more than nothing only if `unknown` events forbid to push. */
  readonly pending: number
  /** Seconds. */
  readonly duration: number
}

/** A command that could not stand, as an event of the log tells it. `moot`: there was nothing left to do. */
export interface Rejected {
  readonly id: string
  readonly outcome: "refused" | "moot"
  readonly what: string
  readonly reason: string
}

export interface SyncOptions {
  /** Whether a machine that nobody knows asks to be enrolled. Default true; a job that keeps nothing would ask again each time. */
  readonly asks?: boolean
  /** Told after every step, with how much of the shared log is here. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => Effect.Effect<void>
  /** Told of each command that could not stand, as soon as that is in the log: also where the synchronisation then fails. */
  readonly onRejected?: (rejected: Rejected) => Effect.Effect<void>
  /** Told where this log's file is kept as it was before it and another one's history became one. */
  readonly onCopy?: (path: string) => Effect.Effect<void>
  /** The code of an invite, for a machine that is not enrolled yet. */
  readonly invite?: string
  /** The address is that of another server than before: what is not there is not lost. */
  readonly moving?: boolean
  /** Waits while another process of this machine is at it, instead of leaving it to that. */
  readonly wait?: boolean
  /** For a command that reads: a machine that has no key yet gets none, and does not ask to be enrolled. */
  readonly reading?: boolean
}

/** Something that happened between this machine and the shared log. */
export interface SyncEntry {
  readonly at: string
  readonly what: "connected" | "merged" | "synced" | "failed" | "healed" | "disconnected" | "cloned"
  readonly detail: string
}

/** What is behind the address, seen from this machine, before anything is written there or here. */
export interface Contact {
  readonly state:
    | "empty"
    | "same"
    | "foreign"
    | "reset"
    | "rolled-back"
    /** It has a history and so has this machine, and they never met: theirs comes first, ours is put after it. */
    | "to-merge"
  readonly logId: string | null
  readonly remoteEvents: number
  /** How far both logs are the same. */
  readonly common: number
  /** How many events of this machine are not there. */
  readonly ours: number
  /** Whether a root of the log that this machine began is among them: every other machine asks its person about it. */
  readonly beginsRoot: boolean
  /** Both logs, where they are strangers to each other and a person may want to know which is which; else `null`. */
  readonly sides: { readonly here: Side; readonly there: Side } | null
}

/** What a log is about, for a person to recognise it. */
export interface Side {
  readonly events: number
  /** When its first event occurred; `null` where it has none. */
  readonly since: string | null
  /** The names of its servers, up to twenty. */
  readonly servers: ReadonlyArray<string>
}

type Failed = SyncError | StorageError

export class Sync extends Context.Tag("@context-engine/core/Sync")<
  Sync,
  {
    readonly status: Effect.Effect<SyncStatus, StorageError>
    /** Pushes and pulls until both logs are the same. Local work goes on meanwhile. Refuses any log but the one it knows. */
    readonly now: (options?: SyncOptions) => Effect.Effect<SyncReport, Failed>
    /** What happened, newest first. */
    readonly log: (limit?: number) => Effect.Effect<ReadonlyArray<SyncEntry>, StorageError>
    /** Asks what is behind the address; changes nothing. */
    readonly contact: Effect.Effect<Contact, Failed>
    /** Fails where the shared log does not answer, or takes nothing with this token; writes nothing. */
    readonly writable: Effect.Effect<void, Failed>
    /** Gives the shared log back what it lost: a reset one everything, a rolled-back one what is missing. A person decides it. */
    readonly heal: (options?: SyncOptions) => Effect.Effect<SyncReport, Failed>
    /** Joins a log with a history of its own, known until now or not: its history first, then all of ours. A person decides it. */
    readonly join: (options?: SyncOptions) => Effect.Effect<SyncReport, Failed>
    /** Forgets the shared log. This machine keeps all it has, and works alone. */
    readonly disconnect: Effect.Effect<void, StorageError>
    /** Commands that were refused, open ones first. */
    readonly rejected: Effect.Effect<ReadonlyArray<RejectionRow>, StorageError>
    /** The open ones that this machine could not let stand, in the order in which they were given. */
    readonly rejectedHere: Effect.Effect<ReadonlyArray<RejectionRow>, StorageError>
    /** Gives a refused command again, as it was, by its id or the beginning of it: it is decided on what there is now. */
    readonly retry: (
      id: string,
    ) => Effect.Effect<
      RejectionRow,
      NotFound | Ambiguous | InvalidInput | StorageError | VersionConflict | UniqueViolation
    >
    /** Notes that a refused command is not wanted any more. */
    readonly drop: (
      id: string,
    ) => Effect.Effect<
      RejectionRow,
      NotFound | Ambiguous | InvalidInput | StorageError | VersionConflict | UniqueViolation
    >
  }
>() {}
