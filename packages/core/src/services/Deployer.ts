/** Deploys and rollbacks: run the command where the service lives, watch it become well, and keep the whole story. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Commands } from "../Commands.js"
import type { DeployMethod } from "../domain/Service.js"
import type { OperationFailed, RegistryError, RemoteError } from "../Errors.js"
import { ReadModels } from "../ReadModels.js"
import type { OutputChunk } from "../Remote.js"
import type { DeploymentRow } from "../views/deployments.js"
import { makeDeploy } from "./deployer/deploy.js"
import { makeHistory } from "./deployer/history.js"
import { Health } from "./Health.js"
import { Hosts } from "./Hosts.js"

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

/**
 * Deploys services. A deployment that ran and failed is an answer (`status: "failed"`, with its `reason`), not an error;
 * errors mean that nothing was run.
 */
export class Deployer extends Context.Tag("@context-engine/core/Deployer")<
  Deployer,
  {
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
>() {
  static readonly layer = Layer.effect(
    Deployer,
    Effect.gen(function* () {
      const models = yield* ReadModels
      const commands = yield* Commands
      const health = yield* Health
      const hosts = yield* Hosts
      const history = makeHistory(models, commands)
      return Deployer.of({ ...history, ...makeDeploy({ models, commands, health, hosts, history }) })
    }),
  )
}

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
