/** Port: who may write to the log. Admin machines invite, approve, revoke and acknowledge; every machine may look. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Role } from "../domain/Machine.js"
import type { Invite, Member } from "../domain/Membership.js"
import type { Ambiguous, InvalidInput, NotFound, StorageError } from "../Errors.js"

/** A machine as people see it. */
export interface MachineRow extends Omit<Member, "publicKey" | "through"> {
  /** What two people compare by eye. */
  readonly fingerprint: string
  /** Whether it is the root of the log. */
  readonly root: boolean
  /** Whether it is this very machine. */
  readonly here: boolean
}

/** A root that somebody began and that no person on this machine has judged. */
export interface PendingRoot {
  readonly name: string
  readonly fingerprint: string
  readonly position: number
}

export interface Machines_ {
  readonly machines: ReadonlyArray<MachineRow>
  readonly invites: ReadonlyArray<Omit<Invite, "publicKey">>
  readonly pendingRoots: ReadonlyArray<PendingRoot>
  /** Roots that do not count here, and that nobody is asked about: one that counted before, or was turned down. */
  readonly otherRoots: ReadonlyArray<PendingRoot>
}

/** An invite that was made: its code, which is shown once, and its id, by which it is withdrawn. */
export interface Invited extends InviteInput {
  readonly code: string
  readonly inviteId: string
}

/** A machine that was revoked. */
export interface Revoked extends MachineRow {
  /** The invites that it had made and that were open: their ids. They ended with it. */
  readonly ended: ReadonlyArray<string>
  /** The names of machines that it approved, or that came by an invite of it. They stay what they are. */
  readonly letIn: ReadonlyArray<string>
}

/** What an invite may do. */
export interface InviteInput {
  readonly role: Role
  readonly uses: number
  /** ISO 8601 UTC. */
  readonly expiresAt: string
}

type Refused = NotFound | Ambiguous | InvalidInput | StorageError

export class Machines extends Context.Tag("@context-engine/core/Machines")<
  Machines,
  {
    readonly list: Effect.Effect<Machines_, StorageError>
    /** Makes an invite, and gives the code that is its only copy. */
    readonly invite: (input: InviteInput) => Effect.Effect<Invited, Refused>
    /** Ends an invite, by the beginning of its id. */
    readonly withdraw: (id: string) => Effect.Effect<void, Refused>
    /** Enrols a machine that waits or was revoked, by its name or fingerprint; or makes an enrolled member an admin. */
    readonly approve: (name: string, role: Role) => Effect.Effect<MachineRow, Refused>
    /** From now on nothing that its key signs counts, and nobody comes by an invite that it made. */
    readonly revoke: (name: string) => Effect.Effect<Revoked, Refused>
    readonly rename: (name: string, to: string) => Effect.Effect<MachineRow, Refused>
    /** Makes a key for a job that keeps no home and enrols it; the line is its only copy. */
    readonly add: (
      name: string,
      role: Role,
    ) => Effect.Effect<{ readonly key: string; readonly machine: MachineRow }, Refused>
    /** What would become the root, and which machines would be enrolled beside it. */
    readonly rootPlan: Effect.Effect<
      ReadonlyArray<{ readonly name: string; readonly fingerprint: string }>,
      StorageError
    >
    /** Makes this machine the root of the log: of one that has none yet, or whose keys are lost. */
    readonly beginRoot: (keep: boolean) => Effect.Effect<MachineRow, Refused>
    /**
     * Accepts a root that another machine began, by its fingerprint, and by its position where one key began more than one; or goes
     * back to one that counted before. What came after it counts no more.
     */
    readonly trust: (fingerprint: string, position?: number) => Effect.Effect<PendingRoot, Refused>
    /**
     * Says that an admin has seen the events that count for nothing. Gives how many there were. `turnsDownRoots`: none of the roots
     * that wait for a word is the right one; without that it is refused where one waits.
     */
    readonly acknowledge: (turnsDownRoots: boolean) => Effect.Effect<number, Refused>
  }
>() {}
