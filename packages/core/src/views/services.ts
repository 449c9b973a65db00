/** The `services` view. */
import { entity, type HealthStatus, type Service } from "../domain/Service.js"
import { type EntityRow, entityView } from "./entityView.js"

export type ServiceRow = Service &
  EntityRow & {
    readonly healthStatus: HealthStatus
    /** What the last check found, in words. */
    readonly healthDetail: string | null
    readonly lastHealthCheck: string | null
    /** The git sha or version that was deployed last. */
    readonly currentVersion: string | null
    /** The version it is to stay at, with the reason; `null` while it may be deployed. */
    readonly pinned: { readonly version: string | null; readonly reason: string | null } | null
    /** How the last deployment stands; `null` where there was none. */
    readonly lastDeployment: "in_progress" | "success" | "failed" | "unknown" | null
    readonly status: "running" | "stopped" | "deploying" | "failed" | "unknown"
  }

export const services = entityView<"Service", Service, Omit<ServiceRow, keyof Service | keyof EntityRow>>({
  name: "services",
  version: 3,
  entity,
  stream: "service",
  unique: [["name", "serverId"]],
  initial: {
    healthStatus: "unknown",
    healthDetail: null,
    lastHealthCheck: null,
    currentVersion: null,
    pinned: null,
    lastDeployment: null,
    status: "unknown",
  },
  onFact: (row, { type, data }) => {
    switch (type) {
      case "HealthChecked":
        return {
          ...row,
          healthStatus: data.status,
          healthDetail: data.detail,
          lastHealthCheck: data.at,
          status: data.status === "healthy" ? "running" : row.status,
        }
      case "DeploymentStarted":
        return { ...row, status: "deploying", lastDeployment: "in_progress" }
      case "DeploymentSucceeded":
        return { ...row, ...ended(row, data.version), status: "running", lastDeployment: "success" }
      case "DeploymentFailed":
        return { ...row, ...ended(row, data.version), status: "failed", lastDeployment: "failed" }
      case "DeploymentLost":
        return { ...row, ...ended(row, data.version), status: "unknown", lastDeployment: "unknown" }
      case "ServiceActionEnded":
        return { ...row, status: after(row, data) }
      case "ServicePinned":
        return { ...row, pinned: { version: data.version, reason: data.reason } }
      case "ServiceUnpinned":
        return { ...row, pinned: null }
      default:
        return row
    }
  },
})

const ended = (row: ServiceRow, version: string | null) => ({ currentVersion: version ?? row.currentVersion })

/** What is left running. A service that could not be stopped is what it was. */
const after = (row: ServiceRow, { action, outcome }: { readonly action: string; readonly outcome: string }) => {
  if (outcome === "unknown") return "unknown"
  if (outcome === "done") return action === "stop" ? "stopped" : "running"
  return action === "stop" ? row.status : "failed"
}
