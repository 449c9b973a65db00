/** What a deployment is asked for by, and what the service that makes it offers. */
import type * as Effect from "effect/Effect"
import type { DeployMethod } from "../../domain/Service.js"
import type { OperationFailed, RegistryError, RemoteError } from "../../Errors.js"
import type { OutputChunk } from "../../Remote.js"
import type { DeploymentRow } from "../../views/deployments.js"

/** How a deployment comes along, for a progress line. */
export type DeployStep = "version" | "command" | "health" | "done"

export interface DeployOptions {
  /** A git sha, tag or version. Absent: whatever the deploy command brings. */
  readonly version?: string
  /** Default `manual`. */
  readonly method?: DeployMethod
  readonly notes?: string
  /** Milliseconds the service has to become healthy. Default 60,000. */
  readonly healthTimeout?: number
  /** Milliseconds the command may run. Default 15 minutes. */
  readonly timeout?: number
  /** What the command prints, as it comes. */
  readonly onOutput?: (chunk: OutputChunk) => Effect.Effect<void>
  readonly onStep?: (step: DeployStep) => Effect.Effect<void>
}

export interface RollbackOptions extends Omit<DeployOptions, "version" | "method"> {
  /** Default: the last version that was deployed well and is not the current one. */
  readonly to?: string
}

export type DeployError = RegistryError | RemoteError | OperationFailed

/** A deployment made elsewhere: what it was, and how it ended. Times are ISO 8601 UTC. */
export interface RecordDeployment {
  readonly service: string
  readonly version: string
  readonly status: "success" | "failed"
  readonly deployedBy?: string
  readonly method?: DeployMethod
  readonly startedAt?: string
  readonly completedAt?: string
  readonly logs?: string
  readonly reason?: string
  readonly notes?: string
}

export interface DeployerShape {
  readonly deploy: (service: string, options?: DeployOptions) => Effect.Effect<DeploymentRow, DeployError>
  readonly rollback: (service: string, options?: RollbackOptions) => Effect.Effect<DeploymentRow, DeployError>
  /** Newest first. */
  readonly history: (
    service: string,
    options?: { readonly limit?: number },
  ) => Effect.Effect<ReadonlyArray<DeploymentRow>, RegistryError>
  readonly list: (options?: { readonly limit?: number }) => Effect.Effect<ReadonlyArray<DeploymentRow>, RegistryError>
  /** By its id, or the first letters of it. */
  readonly get: (id: string) => Effect.Effect<DeploymentRow, RegistryError>
  /** Notes a deployment that some other tool has made. */
  readonly record: (input: RecordDeployment) => Effect.Effect<DeploymentRow, RegistryError>
  readonly annotate: (id: string, notes: string | null) => Effect.Effect<DeploymentRow, RegistryError>
  /** Takes it out of the history that is shown; the log keeps it. */
  readonly hide: (id: string) => Effect.Effect<void, RegistryError>
}
