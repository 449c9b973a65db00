/** The `services` view. */
import { entity, type HealthStatus, type Service } from "../domain/Service.js"
import type { Recorded } from "../Event.js"
import { type EntityRow, entityView } from "./entityView.js"
import { earlierLookOf, isAfter, type Look, lookOf } from "./looks.js"

export type ServiceRow = Service &
  EntityRow & {
    readonly healthStatus: HealthStatus
    /** What the last check found, in words. */
    readonly healthDetail: string | null
    readonly lastHealthCheck: string | null
    /** Where its health is known from. */
    readonly healthLook: Look | null
    /** The git sha or version that was deployed last. */
    readonly currentVersion: string | null
    /** The version it is to stay at, with the reason; `null` while it may be deployed. */
    readonly pinned: { readonly version: string | null; readonly reason: string | null } | null
    /** How the last deployment stands; `null` where there was none. */
    readonly lastDeployment: "in_progress" | "success" | "failed" | "unknown" | null
    /** The deployment that began last, which `currentVersion` and `lastDeployment` are known from. */
    readonly deploymentLook: (Look & { readonly id: string }) | null
    readonly status: "running" | "stopped" | "deploying" | "failed" | "unknown"
    /** Where that is known from. */
    readonly statusLook: Look | null
  }

export const services = entityView<"Service", Service, Omit<ServiceRow, keyof Service | keyof EntityRow>>({
  name: "services",
  version: 4,
  entity,
  stream: "service",
  unique: [["name", "serverId"]],
  initial: {
    healthStatus: "unknown",
    healthDetail: null,
    lastHealthCheck: null,
    healthLook: null,
    currentVersion: null,
    pinned: null,
    lastDeployment: null,
    deploymentLook: null,
    status: "unknown",
    statusLook: null,
  },
  onFact: (row, event) => {
    const { data, type } = event
    switch (type) {
      case "HealthChecked":
        return checked(row, event)
      case "DeploymentStarted":
      case "DeploymentSucceeded":
      case "DeploymentFailed":
      case "DeploymentLost":
        return deployed(row, event)
      case "ServiceActionEnded":
        return { ...row, ...statusIn(row, event, lookOf(event), after(row, data)) }
      case "ServicePinned":
        return { ...row, pinned: { version: data.version, reason: data.reason } }
      case "ServiceUnpinned":
        return { ...row, pinned: null }
      default:
        return row
    }
  },
})

type Fact = Recorded<any>

const checked = (row: ServiceRow, event: Fact): ServiceRow => {
  const { detail, status } = event.data
  const healthLook = lookOf(event)
  if (!isAfter(event, healthLook, row.healthLook)) return row
  const { at: lastHealthCheck } = earlierLookOf(event)
  const health = { healthStatus: status, healthDetail: detail, lastHealthCheck, healthLook }
  return { ...row, ...health, ...(status === "healthy" && statusIn(row, event, healthLook, "running")) }
}

/** Its status after what was done or seen, unless that was before what it is known from. */
const statusIn = (row: ServiceRow, event: Fact, look: Look, status: ServiceRow["status"]): Partial<ServiceRow> =>
  isAfter(event, look, row.statusLook) ? { status, statusLook: look } : {}

const deployed = (row: ServiceRow, event: Fact): ServiceRow => {
  const look = earlierLookOf(event)
  if (!isLast(row, event, look)) return row
  const { deploymentId: id, version } = event.data
  const [status, lastDeployment] = leftBy[event.type] as (typeof leftBy)[string]
  const begins = event.type === "DeploymentStarted"
  return {
    ...row,
    ...statusIn(row, event, look, status),
    currentVersion: begins ? row.currentVersion : (version ?? row.currentVersion),
    lastDeployment,
    deploymentLook: row.deploymentLook?.id === id ? row.deploymentLook : { ...look, id },
  }
}

/** Of deployments only the one that began last can end. Whoever tells of one, and however often, it begins once. */
const isLast = ({ deploymentLook: last }: ServiceRow, event: Fact, look: Look): boolean => {
  const { deploymentId } = event.data
  if (event.type !== "DeploymentStarted") return last === null || last.id === deploymentId
  return last?.id !== deploymentId && isAfter(event, look, last)
}

const leftBy: Readonly<Record<string, readonly [ServiceRow["status"], ServiceRow["lastDeployment"]]>> = {
  DeploymentStarted: ["deploying", "in_progress"],
  DeploymentSucceeded: ["running", "success"],
  DeploymentFailed: ["failed", "failed"],
  DeploymentLost: ["unknown", "unknown"],
}

/** What is left running. A service that could not be stopped is what it was. */
const after = (row: ServiceRow, { action, outcome }: { readonly action: string; readonly outcome: string }) => {
  if (outcome === "unknown") return "unknown"
  if (outcome === "done") return action === "stop" ? "stopped" : "running"
  return action === "stop" ? row.status : "failed"
}
