/** Port: keeping the file well: its rows built anew, and copies of it made while others write. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InvalidInput, StorageError } from "../Errors.js"
import type { Progress } from "./Audit.js"

/** What a rebuild found. `differing` rows were not what the events say; they are now. */
export interface RebuildReport {
  readonly events: number
  readonly rows: number
  readonly differing: number
  /** Seconds. */
  readonly duration: number
}

export class Maintenance extends Context.Tag("@context-engine/core/Maintenance")<
  Maintenance,
  {
    /**
     * Folds the whole log into new tables beside the live ones, compares them, and swaps them in one transaction. Readers
     * and writers go on meanwhile.
     */
    readonly rebuild: (
      onProgress?: (progress: Progress) => Effect.Effect<void>,
    ) => Effect.Effect<RebuildReport, StorageError>
    /** Writes a whole copy of the database, as it is at one moment, into a new file, and beside it what deployments printed. Writers go on. */
    readonly backup: (into: string) => Effect.Effect<void, StorageError | InvalidInput>
  }
>() {}
