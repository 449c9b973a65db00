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
    readonly status: "running" | "stopped" | "deploying" | "failed" | "unknown"
  }

export const services = entityView<"Service", Service, Omit<ServiceRow, keyof Service | keyof EntityRow>>({
  name: "services",
  version: 1,
  entity,
  stream: "service",
  unique: [["name", "serverId"]],
  initial: {
    healthStatus: "unknown",
    healthDetail: null,
    lastHealthCheck: null,
    currentVersion: null,
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
        return { ...row, status: "deploying" }
      case "DeploymentSucceeded":
        return { ...row, status: "running", currentVersion: data.version ?? row.currentVersion }
      case "DeploymentFailed":
        return { ...row, status: "failed", currentVersion: data.version ?? row.currentVersion }
      default:
        return row
    }
  },
})
