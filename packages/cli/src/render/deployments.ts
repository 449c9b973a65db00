/** Deployments as text. */
import type { DeploymentRow } from "@context-engine/core/views/deployments"
import { safe } from "./safe.js"
import { state } from "./states.js"
import { type Column, table } from "./table.js"
import { paint, type Renderer } from "./text.js"
import { ago, duration, version } from "./units.js"

export const history =
  (service: string): Renderer<ReadonlyArray<DeploymentRow>> =>
  (rows, screen) => {
    const columns: ReadonlyArray<Column<DeploymentRow>> = [
      { title: "started", cell: (row) => ago(screen, row.startedAt) },
      { title: "version", cell: (row) => version(row.version) },
      { title: "status", cell: (row) => state(row.status) },
      {
        title: "took",
        cell: (row) => (row.durationSeconds === null ? "" : duration(row.durationSeconds)),
        right: true,
      },
      { title: "how", cell: (row) => row.deployMethod },
      { title: "by", cell: (row) => row.deployedBy },
      { title: "verified", cell: (row) => (row.verified === null ? "" : row.verified ? "yes" : "no") },
      { title: "went back to", cell: (row) => version(row.rollbackVersion) },
      { title: "notes", cell: (row) => row.notes, flexible: true },
      { title: "reason", cell: (row) => row.reason, flexible: true },
    ]
    return rows.length === 0
      ? `${safe(service)} was never deployed from here\n  deploy it: context infra deploy ${safe(service)}`
      : table(screen, columns, rows)
  }

/** How a deployment ended that went well. One that did not is an error's matter. */
export const ended: Renderer<DeploymentRow> = (row, screen) => {
  if (row.status === "failed") return ""
  const what = row.deployMethod === "rollback" ? "rolled back" : "deployed"
  const to = row.version === null ? "" : ` ${row.deployMethod === "rollback" ? "to" : "at"} ${version(row.version)}`
  const took = row.durationSeconds === null ? "" : ` in ${duration(row.durationSeconds)}`
  const checked = row.verified
    ? "and healthy"
    : paint(screen, "warn", "but not verified: it has no health endpoint to ask")
  return `${paint(screen, "good", "✓")} ${safe(`${row.server}/${row.service} ${what}${to}${took}`)}, ${checked}`
}
