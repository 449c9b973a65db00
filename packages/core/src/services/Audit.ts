/** Port: can the log be believed? Walked, compared, exported, imported and replayed by the store that keeps it. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { InvalidInput, StorageError } from "../Errors.js"

/** One thing that does not hold. */
export interface Finding {
  readonly kind:
    | "chain"
    | "gap"
    | "stream"
    | "signature"
    | "trigger"
    | "schema"
    | "row"
    | "checkpoint"
    | "damage"
    | "inert"
    | "sequence"
    | "loss"
  /** Where in the log; `null` for what has no place there. */
  readonly position: number | null
  /** In words. */
  readonly message: string
}

/** What the log lacks of what this machine has seen of it, and remembers outside its file. */
export interface Loss {
  /** In words. */
  readonly message: string
  /** How far this machine has seen the log reach, and when: ISO 8601 UTC; `null` where only the file itself tells of it. */
  readonly position: number
  readonly since: string | null
  /** The ways out: commands. */
  readonly next: string
}

/** How many events each machine wrote, and whether its signature held. */
export interface MachineReport {
  readonly machineId: string
  readonly name: string
  readonly events: number
}

/** What waits in a file under a key that may not write: it is yet to be enrolled, or was revoked. */
export interface WithheldReport {
  readonly machineId: string
  /** What that machine is called; `null` where the log does not say. */
  readonly name: string | null
  /** Whether it is this machine: a file that was put back may hold another's work. */
  readonly own: boolean
  readonly events: number
  readonly because: "waiting" | "revoked"
}

export interface AuditReport {
  readonly ok: boolean
  readonly events: number
  readonly rows: number
  readonly signed: number
  readonly unsigned: number
  /** What waits in this file alone, by the keys that signed it and may not write. */
  readonly withheld: ReadonlyArray<WithheldReport>
  /** The machine that is the log's root; `null` where the log is unsigned, or older than roots. */
  readonly root: string | null
  /** Events that count for nothing: nobody who was enrolled signed them, or they have no shape. */
  readonly inert: number
  /** The moment that the file shows, where it is not a log that goes on but a replay of one; else `null`. */
  readonly replayed: string | null
  readonly machines: ReadonlyArray<MachineReport>
  /** Types that this version does not know, with how many there are. */
  readonly unknownTypes: Readonly<Record<string, number>>
  /** The first findings, in the order of the log; at most 100. */
  readonly findings: ReadonlyArray<Finding>
  /** The hash of the last event: who keeps it elsewhere can tell if the log was ever cut short. */
  readonly head: { readonly position: number; readonly hash: string }
  /** Seconds. */
  readonly duration: number
}

/** How far a long walk has come. */
export interface Progress {
  readonly done: number
  readonly total: number
}

/** What an import took over: how many events were new, and how many of those count for nothing here. */
export interface Taken {
  readonly events: number
  readonly inert: number
}

export class Audit extends Context.Tag("@context-engine/core/Audit")<
  Audit,
  {
    /** Walks the chain from the first event, checks every signature, and compares every live row with one folded anew. */
    readonly verify: (
      onProgress?: (progress: Progress) => Effect.Effect<void>,
    ) => Effect.Effect<AuditReport, StorageError>
    /** The whole log as lines of canonical JSON: byte for byte the same for the same log. */
    readonly export: Stream.Stream<string, StorageError>
    /**
     * Takes an exported log over, into an empty log or one that is a beginning of it. The chain is verified on the way in; a
     * line that breaks it refuses everything, and so does a log that machines share: that gets its events by synchronising.
     */
    readonly import: (
      lines: Stream.Stream<string, StorageError | InvalidInput>,
    ) => Effect.Effect<Taken, StorageError | InvalidInput>
    /** Writes the log up to a moment, and its rows, into a new file that any SQLite program opens. Gives the position. */
    readonly replay: (moment: string, into: string) => Effect.Effect<number, StorageError | InvalidInput>
    /** What the log lacks of what this machine has seen of it; `null` if nothing. */
    readonly loss: Effect.Effect<Loss | null, StorageError>
    /**
     * Takes the log as it is for the one to go on from, and gives what is given up with that. A person decides it: an older
     * copy was put there on purpose.
     */
    readonly accept: Effect.Effect<Loss | null, StorageError>
  }
>() {}
