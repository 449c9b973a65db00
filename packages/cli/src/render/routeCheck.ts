/** The routes as they were found: a table, and below it what is wrong with which. */
import type { RouteFinding, RouteReport } from "@context-engine/core/services/RouteCheck"
import { marked } from "./differences.js"
import { type Cell, type Column, table } from "./table.js"
import type { Renderer, Style } from "./text.js"
import { count } from "./units.js"

const styles = { ok: "good", warning: "warn", trouble: "bad" } as const satisfies Record<RouteReport["verdict"], Style>

export const routeCheck: Renderer<ReadonlyArray<RouteReport>> = (reports, screen) => {
  if (reports.length === 0) return "no routes yet\n  add one: context infra route add <domain> --service <service>"
  const amiss = reports.flatMap(({ findings, route }) =>
    findings
      .filter(({ verdict }) => verdict !== "ok")
      .map(({ about, detail, verdict }) => marked(screen, styles[verdict], `${route}: ${about}: ${detail}`)),
  )
  return [table(screen, columns, reports), "", ...(amiss.length === 0 ? [well(reports.length)] : amiss)].join("\n")
}

const well = (n: number): string => `${count(n, "route")}: all is well`

/** A cell in the colour of the worst that was found about it. */
const about =
  (what: RouteFinding["about"], text: (report: RouteReport) => string | null) =>
  (report: RouteReport): Cell => {
    const found = report.findings.filter((finding) => finding.about === what).map(({ verdict }) => verdict)
    const worst = (["trouble", "warning", "ok"] as const).find((verdict) => found.includes(verdict))
    if (worst === undefined) return ""
    return { text: text(report) ?? (worst === "ok" ? "ok" : "none"), style: styles[worst] }
  }

const address = ({ addresses, cname }: RouteReport): string | null => {
  const [first] = addresses
  if (first === undefined) return null
  const more = addresses.length > 1 ? ` +${addresses.length - 1}` : ""
  return `${cname === null ? "" : `${cname} → `}${first}${more}`
}

const certificate = ({ certificate }: RouteReport): string | null => {
  if (certificate === null) return null
  if (!certificate.matchesName) return "wrong name"
  if (certificate.daysLeft < 0) return "expired"
  return `${certificate.distrust === null ? "" : "untrusted, "}${certificate.daysLeft}d left`
}

const answer = ({ hops }: RouteReport): string | null =>
  hops.length === 0 ? null : hops.length > 4 ? `${hops.length} redirects` : hops.map(({ status }) => status).join(" → ")

const proxy = ({ proxy }: RouteReport): string | null =>
  proxy === null ? null : `${proxy.kind} → ${proxy.upstreams[0] ?? "files"}`

const columns: ReadonlyArray<Column<RouteReport>> = [
  { title: "route", cell: ({ route }) => route },
  { title: "state", cell: ({ verdict }) => ({ text: verdict, style: styles[verdict] }) },
  { title: "dns", cell: about("dns", address), flexible: true },
  { title: "tls", cell: about("tls", certificate) },
  { title: "http", cell: about("http", answer) },
  { title: "proxy", cell: about("proxy", proxy) },
  { title: "service", cell: ({ server, service }) => `${server}/${service}`, flexible: true },
]
