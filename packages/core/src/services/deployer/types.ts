/** What a deployment is asked for by, and what the service that makes it offers. */
import type * as Effect from "effect/Effect"
import type { DeployMethod } from "../../domain/Service.js"
import type { OperationFailed, RegistryError, RemoteError } from "../../Errors.js"
import type { OutputChunk } from "../../Remote.js"
import type { DeploymentRow } from "../../views/deployments.js"
import type { LockHolder } from "./host/replies.js"

/**
 * How a deployment comes along, for a progress line. `waiting`: for somebody else's lock. `reconnecting`: the link is down
 * and the deployment goes on without us.
 */
export type DeployStep =
  | "prepare"
  | "waiting"
  | "command"
  | "reconnecting"
  | "connected"
  | "health"
  | "rollback"
  | "done"

/** What whoever watches a deployment is told. */
export interface Watch {
  /** What the steps print, as it comes; standard error comes in the same stream. */
  readonly onOutput?: (chunk: OutputChunk) => Effect.Effect<void>
  /** `detail` is for people: whose lock, which error. */
  readonly onStep?: (step: DeployStep, detail?: string) => Effect.Effect<void>
  /** The deployment has its id, and is in the log. */
  readonly onBegin?: (id: string) => Effect.Effect<void>
  /** Milliseconds to go on trying to reach the host before the deployment is left to itself. Default 30 minutes. */
  readonly patience?: number
  /** The environment that the variables named in the service's settings are taken from. What is printed of them is not kept. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export interface DeployOptions extends Watch {
  /** A git sha, tag or version. Absent: whatever the deploy command brings. */
  readonly version?: string
  /** Default `manual`. */
  readonly method?: DeployMethod
  readonly notes?: string
  /** Milliseconds the service has to become healthy. Default: its settings, else 60,000. */
  readonly healthTimeout?: number
  /** How many checks in a row must find it healthy. Default: its settings, else 2. */
  readonly healthCount?: number
  /** Milliseconds the steps may run together. Default: its settings, else 15 minutes. */
  readonly timeout?: number
  /** Whether to roll back when it fails. Default: its settings, else not. */
  readonly autoRollback?: boolean
  /** Milliseconds to wait for the lock of somebody else. Default 0. */
  readonly wait?: number
  /** Whether to take the lock of somebody who is gone. One that is held by hand, or by a deployment that runs, stays. */
  readonly takeOver?: boolean
}

export interface RollbackOptions extends Omit<DeployOptions, "version" | "method"> {
  /** Default: the last version that was verified healthy and is not the current one. */
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

/** What a deployment would do. Nothing was changed to find it out, and no lock was taken. */
export interface DeployPlan {
  readonly service: string
  readonly server: string
  /** What would run, in order, in which directory. The commands are as the host's shell would get them. */
  readonly directory: string | null
  readonly steps: ReadonlyArray<{ readonly step: "pre" | "command" | "post"; readonly command: string }>
  readonly from: string | null
  /** `null`: whatever the command brings. */
  readonly to: string | null
  /** `<short sha> <subject>`, newest first; `undefined` where git cannot tell. */
  readonly commits: ReadonlyArray<string> | undefined
  /** Whether `to` lies before `from`, so that the commits would be taken away. */
  readonly backwards: boolean
  /** The services that depend on it, directly or through others. */
  readonly affected: ReadonlyArray<string>
  readonly check: string
  readonly timeout: number
  readonly lock: LockHolder | null
  readonly pinned: { readonly version: string | null; readonly reason: string | null } | null
  /** What a rollback would go back to, and whether the host still has it (`null`: it cannot be told). */
  readonly rollback: { readonly version: string; readonly available: boolean | null } | null
  /** What would stop the deployment before it began. */
  readonly problems: ReadonlyArray<string>
}

/** How the deployments of many services went. */
export interface DeployedMany {
  readonly deployments: ReadonlyArray<DeploymentRow>
  /** Those that were refused before anything ran. */
  readonly refused: ReadonlyArray<{ readonly service: string; readonly message: string }>
  /** Those that were not begun, because one before them failed. */
  readonly left: ReadonlyArray<string>
}

export interface ManyOptions extends Omit<DeployOptions, "onOutput" | "onStep" | "onBegin"> {
  /** How many at once: a number, or a share such as `25%`. Default 1. */
  readonly batch?: string
  /** What to tell about each service, by its full name. */
  readonly watch?: (service: string) => Watch
}

export interface DeployerShape {
  readonly deploy: (service: string, options?: DeployOptions) => Effect.Effect<DeploymentRow, DeployError>
  /** Deploys several services, some at a time, and begins no more after a failure. */
  readonly deployMany: (
    what: { readonly services?: ReadonlyArray<string>; readonly tag?: string },
    options?: ManyOptions,
  ) => Effect.Effect<DeployedMany, DeployError>
  readonly rollback: (service: string, options?: RollbackOptions) => Effect.Effect<DeploymentRow, DeployError>
  /** What a deployment would do. Changes nothing, takes no lock. */
  readonly plan: (
    service: string,
    options?: Pick<DeployOptions, "version" | "timeout" | "healthTimeout" | "healthCount">,
  ) => Effect.Effect<DeployPlan, DeployError>
  /** Watches a deployment that is on its way, by the name of its service or its id, begun on whichever machine. */
  readonly attach: (target: string, watch?: Watch) => Effect.Effect<DeploymentRow, DeployError>
  /** Ends a deployment that is on its way, with all its processes. */
  readonly cancel: (target: string, watch?: Watch) => Effect.Effect<DeploymentRow, DeployError>
  /** Brings the deployments that nobody has seen to their end into the log, from what the host knows. Gives those settled. */
  readonly settle: (service: string) => Effect.Effect<ReadonlyArray<DeploymentRow>, DeployError>
  /** Takes the deploy lock of a service on its host. Gives its counter, which only rises. */
  readonly lock: (
    service: string,
    options?: { readonly reason?: string; readonly takeOver?: boolean },
  ) => Effect.Effect<{ readonly service: string; readonly counter: number }, DeployError>
  readonly unlock: (service: string) => Effect.Effect<{ readonly service: string }, DeployError>
  /** Keeps a service at the version it has. */
  readonly pin: (
    service: string,
    reason?: string,
  ) => Effect.Effect<{ readonly service: string; readonly version: string | null }, DeployError>
  readonly unpin: (service: string) => Effect.Effect<{ readonly service: string }, DeployError>
  /** Newest first. */
  readonly history: (
    service: string,
    options?: { readonly limit?: number },
  ) => Effect.Effect<ReadonlyArray<DeploymentRow>, RegistryError>
  readonly list: (options?: { readonly limit?: number }) => Effect.Effect<ReadonlyArray<DeploymentRow>, RegistryError>
  /** By its id, or the first letters of it. */
  readonly get: (id: string) => Effect.Effect<DeploymentRow, RegistryError>
  /** All that it printed, if this machine kept it; else the end of it, from the log. */
  readonly output: (id: string) => Effect.Effect<{ readonly text: string; readonly whole: boolean }, RegistryError>
  /** Notes a deployment that some other tool has made. */
  readonly record: (input: RecordDeployment) => Effect.Effect<DeploymentRow, RegistryError>
  readonly annotate: (id: string, notes: string | null) => Effect.Effect<DeploymentRow, RegistryError>
  /** Takes it out of the history that is shown; the log keeps it. */
  readonly hide: (id: string) => Effect.Effect<void, RegistryError>
}
