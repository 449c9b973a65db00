/** The `deployments` view: one row a deployment, folded from its service's stream. It outlives the service. */
import { idOf } from "../Aggregate.js"
import type { DeployMethod, ServiceFact } from "../domain/Service.js"
import type { Projection } from "../Projection.js"

export type DeploymentStatus = "pending" | "in_progress" | "success" | "failed" | "rolled_back" | "unknown"

export interface DeploymentRow {
  readonly id: string
  readonly serviceId: string
  /** What the service and its server were called when it began. */
  readonly service: string
  readonly server: string
  readonly version: string | null
  readonly previousVersion: string | null
  readonly deployedBy: string
  /** The machine it was begun from, as far as the log saw it. */
  readonly machine: string | null
  readonly deployMethod: DeployMethod
  readonly status: DeploymentStatus
  readonly startedAt: string
  readonly completedAt: string | null
  readonly durationSeconds: number | null
  /** The end of what it printed. */
  readonly logs: string | null
  /** Why it failed, or why nobody knows, in words. */
  readonly reason: string | null
  /** Whether a health check held after it; `null` while it runs and where it failed. */
  readonly verified: boolean | null
  /** The version that was gone back to from this one. */
  readonly rollbackVersion: string | null
  readonly notes: string | null
  /** What it did, in order. */
  readonly steps: ReadonlyArray<DeploymentStep>
}

export interface DeploymentStep {
  readonly step: "pre" | "command" | "post" | "health"
  readonly ok: boolean
  readonly exitCode: number | null
  /** Seconds. */
  readonly duration: number
}

export const deployments: Projection<DeploymentRow, ServiceFact> = {
  name: "deployments",
  version: 2,
  unique: [],
  key: ({ data, stream }) =>
    stream.startsWith("service-") && typeof (data as Partial<Named> | null)?.deploymentId === "string"
      ? (data as Named).deploymentId
      : undefined,
  evolve: (row, event) => {
    // Two machines may both have told of it, each from what the host knows.
    if (event.type === "DeploymentStarted") {
      return row ?? started(event.data as Of<"DeploymentStarted">, idOf(event.stream), event.meta.machine)
    }
    // Its end may be told by a service that was registered anew under the same name.
    return row === undefined ? undefined : continued(row, event as ServiceFact)
  },
}

/** An event that is about a deployment, of whatever type. */
interface Named {
  readonly deploymentId: string
}

type Of<T extends ServiceFact["type"]> = Extract<ServiceFact, { type: T }>["data"]

const started = (data: Of<"DeploymentStarted">, serviceId: string, machine: string): DeploymentRow => ({
  id: data.deploymentId,
  serviceId,
  service: data.service,
  server: data.server,
  version: data.version,
  previousVersion: data.previousVersion,
  deployedBy: data.deployedBy,
  machine,
  deployMethod: data.method,
  status: "in_progress",
  startedAt: data.at,
  completedAt: null,
  durationSeconds: null,
  logs: null,
  reason: null,
  verified: null,
  rollbackVersion: null,
  notes: data.notes,
  steps: [],
})

const continued = (row: DeploymentRow, event: ServiceFact): DeploymentRow | undefined => {
  switch (event.type) {
    case "DeploymentSucceeded":
      if (isOver(row)) return row
      return { ...row, ...ended(row, event.data), status: "success", verified: event.data.verified }
    case "DeploymentFailed":
      if (isOver(row)) return row
      return { ...row, ...ended(row, event.data), status: "failed", reason: event.data.reason }
    case "DeploymentLost":
      if (isOver(row)) return row
      return { ...row, ...ended(row, event.data), status: "unknown", reason: event.data.reason }
    case "DeploymentStepEnded": {
      const { duration, exitCode, ok, step } = event.data
      if (isOver(row) || row.steps.some((known) => known.step === step)) return row
      return { ...row, steps: [...row.steps, { step, ok, exitCode, duration }] }
    }
    case "DeploymentRolledBack":
      return { ...row, status: "rolled_back", rollbackVersion: event.data.rollbackVersion }
    case "DeploymentAnnotated":
      return { ...row, notes: event.data.notes }
    case "DeploymentHidden":
      return undefined
    default:
      return row
  }
}

/** Its first end counts; what was unknown may still become known. */
export const isOver = (row: DeploymentRow): boolean => row.status !== "in_progress" && row.status !== "unknown"

const ended = (
  row: DeploymentRow,
  data: Of<"DeploymentSucceeded"> | Of<"DeploymentFailed"> | Of<"DeploymentLost">,
) => ({
  version: data.version ?? row.version,
  completedAt: data.at,
  durationSeconds: data.duration,
  logs: data.logs,
})
