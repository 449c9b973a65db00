/** Services and their health as text. */
import type { HealthReport } from "@context-engine/core/services/Health"
import type { ServiceView } from "@context-engine/core/services/registry/services"
import { safeLines } from "./safe.js"
import { state, styleOf } from "./states.js"
import { block, type Cell, type Column, table } from "./table.js"
import { paint, type Renderer } from "./text.js"
import { ago, version } from "./units.js"

const none =
  "no services yet\n  add one: context infra service add <name> --server <server> --port <port> --health /health"

export const list: Renderer<ReadonlyArray<ServiceView>> = (services, screen) => {
  const columns: ReadonlyArray<Column<ServiceView>> = [
    { title: "name", cell: (service) => service.name },
    { title: "server", cell: (service) => service.server },
    { title: "health", cell: (service) => state(healthOf(service)) },
    { title: "type", cell: (service) => service.type },
    { title: "runtime", cell: (service) => service.runtime },
    { title: "port", cell: (service) => service.port, right: true },
    { title: "version", cell: (service) => version(service.currentVersion) },
    { title: "deploy", cell: deploying },
    { title: "checked", cell: (service) => ago(screen, service.lastHealthCheck) },
  ]
  return services.length === 0 ? none : table(screen, columns, services)
}

/** How well it is; that it was well before somebody stopped it says nothing now. */
const healthOf = ({ healthStatus, status }: ServiceView): string =>
  status === "stopped" && (healthStatus === "healthy" || healthStatus === "unknown") ? status : healthStatus

/** What stands out about its deployments: that one is on its way, or went wrong, or that none is wanted. */
const deploying = ({ lastDeployment, pinned }: ServiceView): Cell => {
  if (lastDeployment === "in_progress") return state("deploying")
  if (lastDeployment === "unknown" || lastDeployment === "failed") return state(lastDeployment)
  return pinned === null ? "" : { text: "pinned", style: "warn" }
}

const pinned = ({ pinned }: ServiceView): string =>
  pinned === null ? "" : `${pinned.version ?? "yes"}${pinned.reason === null ? "" : `: ${pinned.reason}`}`

/** How it is deployed: what is set, line by line. */
const deployment = ({ deployCommand, deploySettings }: ServiceView): ReadonlyArray<readonly [string, Cell]> => {
  const { autoRollback, directory, env, healthCount, healthTimeout, order, post, pre, timeout } = deploySettings ?? {}
  return [
    ["before", pre],
    ["deploy", deployCommand],
    ["after", post],
    ["deploys in", directory],
    ["with", env?.join(", ")],
    ["for at most", timeout],
    ["healthy in", healthTimeout],
    ["checks", healthCount],
    ["roll back", autoRollback === undefined ? "" : autoRollback ? "at once" : "only when asked"],
    ["order", order],
  ]
}

export const show: Renderer<ServiceView> = (service, screen) =>
  block(screen, `${service.server}/${service.name}`, [
    ["health", state(service.healthStatus)],
    ["found", service.healthDetail],
    ["checked", service.lastHealthCheck === null ? "never" : ago(screen, service.lastHealthCheck)],
    ["status", state(service.status)],
    ["version", service.currentVersion],
    ["deployment", service.lastDeployment && state(service.lastDeployment)],
    ["pinned", pinned(service)],
    ["type", service.type],
    ["runtime", service.runtime],
    ["port", service.port],
    ["endpoint", service.healthEndpoint],
    ["project", service.projectPath],
    ["repository", service.gitRepo],
    ...deployment(service),
    ["restart", service.restartCommand],
    ["log", service.logPath],
    ["variables", service.envVars.join(", ")],
    ["config", service.config === null ? "" : JSON.stringify(service.config)],
    ["notes", service.notes],
    ["added", ago(screen, service.createdAt)],
  ])

export const health: Renderer<ReadonlyArray<HealthReport>> = (reports, screen) => {
  const columns: ReadonlyArray<Column<HealthReport>> = [
    { title: "service", cell: (report) => report.service },
    { title: "server", cell: (report) => report.server },
    { title: "health", cell: (report) => state(report.status) },
    { title: "found", cell: (report) => ({ text: report.detail, style: styleOf(report.status) }), flexible: true },
  ]
  return reports.length === 0 ? none : table(screen, columns, reports)
}

/** One check, with the end of the service's log. */
export const status: Renderer<HealthReport & { readonly log: string | null }> = (report, screen) => {
  const head = block(screen, `${report.server}/${report.service}`, [
    ["health", state(report.status)],
    ["found", report.detail],
  ])
  if (report.log === null) return head
  const lines = safeLines(report.log.trimEnd()).split("\n")
  return `${head}\n  ${paint(screen, "faint", "log")}\n${lines.map((line) => `    ${line}`).join("\n")}`
}
