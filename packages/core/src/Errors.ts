/**
 * The ways things go wrong, each named for the fact. `message` is what a person reads; it says what to do next.
 * A driver's error is wrapped once, in `StorageError` or `RemoteError`, with its cause.
 */
import * as Data from "effect/Data"

/** No such thing in the registry. `suggestions` are the nearest names there are. */
export class NotFound extends Data.TaggedError("NotFound")<{
  readonly entity: string
  readonly name: string
  readonly suggestions: ReadonlyArray<string>
}> {
  override get message() {
    const near = this.suggestions.length > 0 ? ` — did you mean ${this.suggestions.join(" or ")}?` : ""
    return `no ${this.entity} named "${this.name}"${near}`
  }
}

/** The name is in use. */
export class AlreadyExists extends Data.TaggedError("AlreadyExists")<{
  readonly entity: string
  readonly name: string
}> {
  override get message() {
    return `${this.entity} "${this.name}" already exists`
  }
}

/** A name that fits several things; `candidates` are names that fit one each. */
export class Ambiguous extends Data.TaggedError("Ambiguous")<{
  readonly entity: string
  readonly name: string
  readonly candidates: ReadonlyArray<string>
}> {
  override get message() {
    return `${this.entity} "${this.name}" is ambiguous: say one of ${this.candidates.join(", ")}`
  }
}

/** Something else still needs it. */
export class InUse extends Data.TaggedError("InUse")<{
  readonly entity: string
  readonly name: string
  readonly by: ReadonlyArray<string>
}> {
  override get message() {
    return `${this.entity} "${this.name}" is still used by ${this.by.join(", ")}`
  }
}

/** A chain of required dependencies that would come back to where it began. */
export class DependencyCycle extends Data.TaggedError("DependencyCycle")<{ readonly path: ReadonlyArray<string> }> {
  override get message() {
    return `that would make a cycle of required dependencies: ${this.path.join(" → ")} (make one of them --optional)`
  }
}

/** A value that the domain does not accept. */
export class InvalidInput extends Data.TaggedError("InvalidInput")<{
  readonly field: string
  readonly reason: string
}> {
  override get message() {
    return this.field === "" ? this.reason : `${this.field}: ${this.reason}`
  }
}

/** Someone else wrote first: the stream is at another version than the writer saw. Commands retry on it by themselves. */
export class VersionConflict extends Data.TaggedError("VersionConflict")<{
  readonly stream: string
  readonly expected: number
  readonly actual: number
}> {
  override get message() {
    return `${this.stream} is at version ${this.actual}, not ${this.expected}: someone else wrote first; try again`
  }
}

/** A row would break a unique key of its view. Nothing was written. */
export class UniqueViolation extends Data.TaggedError("UniqueViolation")<{
  readonly view: string
  readonly columns: ReadonlyArray<string>
}> {
  override get message() {
    return `another row of ${this.view} has the same ${this.columns.join(", ")}`
  }
}

/**
 * The database said no. `reason` is what a program can act on; the driver's own error is the `cause`. `replaced`: the file was
 * removed, or another put in its place, while it was open.
 */
export class StorageError extends Data.TaggedError("StorageError")<{
  readonly reason:
    | "busy"
    | "full"
    | "corrupt"
    | "not-a-database"
    | "foreign"
    | "newer-schema"
    | "not-enrolled"
    | "replaced"
    | "unavailable"
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * A host did not do as asked; `reason` tells how far it got. `no-answer`: the host was there, the service on it kept
 * silent. `elsewhere`: it is local to another machine, and reached from there only.
 */
export class RemoteError extends Data.TaggedError("RemoteError")<{
  readonly reason:
    | "unreachable"
    | "timeout"
    | "no-answer"
    | "authentication"
    | "unreadable-key"
    | "host-key-unknown"
    | "host-key-changed"
    | "connection-lost"
    | "elsewhere"
    | "refused"
  readonly host: string
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * This machine's log and the one all machines share could not be brought together. Everything goes on working here meanwhile.
 *
 * `foreign`: another log, or no log at all, is behind the address. `reset`: there is nothing any more. `rolled-back`: an older
 * state of this log, or one that went on from an older state. `to-merge`: both have a history and never met; a person decides
 * whether they become one. `newer-schema`: written by a version that knows more than this one. `not-enrolled`: this machine waits
 * to be enrolled, or was revoked. `no-root`: nobody has said yet who may write. `new-root`: a person has to say whether a root is
 * the right one. `damaged`: somebody changed what is kept there in a way that it cannot be put right where it is.
 */
export class SyncError extends Data.TaggedError("SyncError")<{
  readonly reason:
    | "not-connected"
    | "offline"
    | "unauthorised"
    | "read-only"
    | "foreign"
    | "to-merge"
    | "reset"
    | "rolled-back"
    | "newer-schema"
    | "not-enrolled"
    | "no-root"
    | "new-root"
    | "protocol"
    | "damaged"
  readonly message: string
  readonly cause?: unknown
}> {}

/** An operation was refused or failed on the ground that `message` gives: a failed deploy, no version to go back to. */
export class OperationFailed extends Data.TaggedError("OperationFailed")<{
  readonly operation: "deploy" | "rollback" | "health" | "restart" | "stop" | "start" | "run" | "lock" | "logs"
  readonly message: string
  readonly next?: string
}> {}

/** Every refusal that a registry command can meet. */
export type RegistryError =
  | NotFound
  | AlreadyExists
  | Ambiguous
  | InUse
  | DependencyCycle
  | InvalidInput
  | VersionConflict
  | StorageError
