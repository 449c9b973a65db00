/** Deployments as text. */
import type { DeployedMany } from "@context-engine/core/services/Deployer"
import type { DeploymentRow } from "@context-engine/core/views/deployments"
import { safe } from "./safe.js"
import { state } from "./states.js"
import { type Cell, type Column, table } from "./table.js"
import { paint, type Renderer } from "./text.js"
import { ago, duration, shortIds, version } from "./units.js"

/** Where nothing was there to be asked, a success says so. */
export const outcome = ({ status, verified }: DeploymentRow): Cell =>
  status === "success" && verified === false ? { text: "success (unverified)", style: "warn" } : state(status)

/** Who began it, and where: `ada@laptop`. */
export const whoOf = ({ deployedBy, machine }: DeploymentRow): string =>
  machine === null ? deployedBy : `${deployedBy}@${machine}`

export const history =
  (service: string): Renderer<ReadonlyArray<DeploymentRow>> =>
  (rows, screen) => {
    const columns: ReadonlyArray<Column<DeploymentRow>> = [
      { title: "started", cell: (row) => ago(screen, row.startedAt) },
      { title: "id", cell: shortIds(rows) },
      { title: "version", cell: (row) => version(row.version) },
      { title: "status", cell: outcome },
      { title: "took", cell: took, right: true },
      { title: "how", cell: (row) => row.deployMethod },
      { title: "by", cell: whoOf },
      { title: "went back to", cell: (row) => version(row.rollbackVersion) },
      { title: "notes", cell: (row) => row.notes, flexible: true },
      { title: "reason", cell: (row) => row.reason, flexible: true },
    ]
    return rows.length === 0
      ? `${safe(service)} was never deployed from here\n  deploy it: context infra deploy ${safe(service)}`
      : table(screen, columns, rows)
  }

const took = ({ durationSeconds }: DeploymentRow): string => (durationSeconds === null ? "" : duration(durationSeconds))

/** How a deployment ended, or how many did. */
export const deployed: Renderer<DeploymentRow | DeployedMany> = (answer, screen) =>
  "deployments" in answer ? many(answer, screen) : ended(answer, screen)

/** One that went well. One that did not is an error's matter. */
const ended: Renderer<DeploymentRow> = (row, screen) => {
  if (row.status === "rolled_back" && row.reason === null) {
    return `${paint(screen, "warn", "!")} ${safe(`${row.server}/${row.service} was deployed well, and later rolled back to ${version(row.rollbackVersion)}`)}`
  }
  if (row.status !== "success") return ""
  const what = row.deployMethod === "rollback" ? "rolled back" : "deployed"
  const to = row.version === null ? "" : ` ${row.deployMethod === "rollback" ? "to" : "at"} ${version(row.version)}`
  const time = row.durationSeconds === null ? "" : ` in ${duration(row.durationSeconds)}`
  const checked = row.verified
    ? ", and healthy"
    : `: ${paint(screen, "warn", "success (unverified), for it has no health endpoint to ask")}`
  return `${paint(screen, "good", "✓")} ${safe(`${row.server}/${row.service} ${what}${to}${time}`)}${checked}`
}

interface Line {
  readonly service: string
  readonly version: string
  readonly status: Cell
  readonly took: string
  readonly reason: string | null
}

const many: Renderer<DeployedMany> = ({ deployments, left, refused }, screen) => {
  const nothing = { version: "", took: "" }
  const lines: ReadonlyArray<Line> = [
    ...deployments.map((row) => ({
      service: `${row.server}/${row.service}`,
      version: version(row.version),
      status: outcome(row),
      took: took(row),
      reason: row.reason,
    })),
    ...refused.map(({ message, service }) => ({
      ...nothing,
      service,
      status: { text: "refused", style: "bad" as const },
      reason: message,
    })),
    ...left.map((service) => ({
      ...nothing,
      service,
      status: { text: "not begun", style: "faint" as const },
      reason: null,
    })),
  ]
  const columns: ReadonlyArray<Column<Line>> = [
    { title: "service", cell: (line) => line.service },
    { title: "version", cell: (line) => line.version },
    { title: "status", cell: (line) => line.status },
    { title: "took", cell: (line) => line.took, right: true },
    { title: "reason", cell: (line) => line.reason, flexible: true },
  ]
  return table(screen, columns, lines)
}
