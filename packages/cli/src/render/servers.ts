/** Servers as text. */

import type { ServerReport } from "@context-engine/core/services/Fleet"
import type { Metrics } from "@context-engine/core/services/probe"
import type { ServerRow } from "@context-engine/core/views/servers"
import { withoutName } from "@context-engine/core/words"
import { safe } from "./safe.js"
import { sign, state, styleOf } from "./states.js"
import { block, type Column, table } from "./table.js"
import { paint, type Renderer, type Screen, wrap } from "./text.js"
import { ago, span, used } from "./units.js"

const none = "no servers yet\n  add one: context infra server add <name> --ip <address>, or --local for this machine"

/** Where it is reached: `deploy@192.168.1.10:2222 via bastion`. */
const address = (server: ServerRow): string => {
  if (server.local) return `local to ${server.localMachine ?? "this machine"}`
  const host = server.ipAddresses[0] ?? server.hostname ?? ""
  const ssh = server.sshConfig
  const port = ssh === null || ssh.port === 22 ? "" : `:${ssh.port}`
  const via = ssh?.jumpHost ? ` via ${ssh.jumpHost}` : ""
  return `${ssh?.user ? `${ssh.user}@` : ""}${host}${port}${via}`
}

export const list: Renderer<ReadonlyArray<ServerRow>> = (servers, screen) => {
  const columns: ReadonlyArray<Column<ServerRow>> = [
    { title: "name", cell: (server) => server.name },
    { title: "status", cell: (server) => state(server.status) },
    { title: "role", cell: (server) => server.role },
    { title: "address", cell: address, flexible: true },
    { title: "os", cell: (server) => server.os },
    { title: "seen", cell: (server) => ago(screen, server.lastSeen) },
    { title: "tags", cell: (server) => server.tags.join(", "), flexible: true },
  ]
  return servers.length === 0 ? none : table(screen, columns, servers)
}

export const show: Renderer<ServerRow> = (server, screen) =>
  block(screen, server.name, [
    ["status", state(server.status)],
    ["reason", server.statusReason],
    ["checked", server.lastChecked === null ? "never" : ago(screen, server.lastChecked)],
    ["last seen", ago(screen, server.lastSeen)],
    ["role", server.role],
    ["reached at", address(server)],
    ["addresses", server.ipAddresses.join(", ")],
    ["hostname", server.hostname],
    ["key", server.sshConfig?.keyPath],
    ["host keys", server.hostKeys.map((key) => `${key.address} ${key.algorithm} ${key.fingerprint}`).join(", ")],
    ["os", server.os],
    ["resources", resources(server)],
    ["tags", server.tags.join(", ")],
    ["notes", server.notes],
    ["added", ago(screen, server.createdAt)],
  ])

const resources = ({ resources }: ServerRow): string =>
  resources === null
    ? ""
    : [
        resources.cpu === null ? undefined : `${resources.cpu} processors`,
        resources.ram && `${resources.ram} memory`,
        resources.disk && `${resources.disk} disk`,
      ]
        .filter(Boolean)
        .join(", ")

/** A table of how they are, and below it why some are not well: reasons are sentences, which no column holds. */
export const status: Renderer<ReadonlyArray<ServerReport>> = (reports, screen) => {
  if (reports.length === 0) return none
  const troubles = reports.filter((report) => report.reason !== null).flatMap((report) => trouble(screen, report))
  return [table(screen, statusColumns, reports), ...(troubles.length === 0 ? [] : ["", ...troubles])].join("\n")
}

const trouble = (screen: Screen, report: ServerReport): ReadonlyArray<string> => {
  const reason = safe(withoutName(report.reason ?? "", report.server))
  const seen = report.status === "offline" ? ` (last seen: ${ago(screen, report.lastSeen) || "never"})` : ""
  const [first = "", ...more] = wrap(`${safe(report.server)}: ${reason}${seen}`, screen.columns - 2)
  const mark = paint(screen, styleOf(report.status), sign(report.status))
  return [`${mark} ${first}`, ...more.map((line) => `  ${line}`)]
}

const metric = (read: (metrics: Metrics) => string | null) => (report: ServerReport) =>
  report.metrics === null ? "" : read(report.metrics)

const statusColumns: ReadonlyArray<Column<ServerReport>> = [
  { title: "name", cell: (report) => report.server },
  { title: "status", cell: (report) => state(report.status) },
  { title: "latency", cell: (report) => (report.latency === null ? "" : `${report.latency} ms`), right: true },
  { title: "uptime", cell: metric((m) => (m.uptime === null ? "" : span(m.uptime))), right: true },
  { title: "load", cell: metric((m) => (m.load === null ? "" : m.load[0].toFixed(2))), right: true },
  { title: "memory", cell: metric((m) => used(m.memory)) },
  { title: "disk", cell: metric((m) => used(m.disk)) },
  { title: "os", cell: metric((m) => m.os) },
]
