/** Routes and dependencies found against those registered. Pure. */
import { entity } from "../../domain/Route.js"
import type { RouteRow } from "../../views/routes.js"
import type { DependencyCandidate, Destination, RouteCandidate } from "./candidates.js"
import type { FieldChange, Finding, Known, Proposal, Ref } from "./finding.js"
import type { Seen } from "./seen.js"

type Refs = ReadonlyMap<string, Ref>

interface Compared {
  readonly findings: ReadonlyArray<Finding>
  readonly unchanged: number
}

export const compareRoutes = (found: ReadonlyArray<RouteCandidate>, refs: Refs, seen: Seen, known: Known): Compared => {
  const key = (route: { readonly domain: string; readonly path: string }) =>
    `${route.domain.toLowerCase()} ${route.path}`
  const rows = new Map<string, Array<RouteRow>>()
  for (const row of known.routes) rows.set(key(row), [...(rows.get(key(row)) ?? []), row])
  const findings: Array<Finding> = []
  let unchanged = 0
  for (const candidate of found) {
    const to = refOf(candidate.to, refs, known) ?? refs.get(candidate.proxy)
    if (to === undefined) continue
    const there = rows.get(key(candidate)) ?? []
    const row = there.find(({ method }) => method === "*") ?? there[0]
    const finding = row === undefined ? newRoute(candidate, to, known) : changedRoute(candidate, to, row, known)
    if (finding === undefined) unchanged++
    else findings.push(finding)
  }
  const keys = new Set(found.map(key))
  const own = new Set(known.services.filter((one) => one.serverId === known.server.id).map((one) => one.id))
  const gone = known.routes.filter((row) => own.has(row.serviceId) && !keys.has(key(row)))
  return { findings: [...findings, ...gone.flatMap((row) => goneRoute(row, seen) ?? [])], unchanged }
}

const newRoute = (candidate: RouteCandidate, to: Ref, known: Known): Finding => {
  const { domain, path, proxyType, ssl } = candidate
  const name = entity.label({ domain, path, method: "*" } as RouteRow)
  const fields = [
    { field: "service", from: null, to: labelOf(to, known) },
    { field: "proxyType", from: null, to: proxyType },
    { field: "ssl", from: null, to: ssl },
  ].filter((one) => one.to !== null)
  return finding("route", "new", name, candidate, fields, {
    _tag: "AddRoute",
    route: { domain, path, proxyType, ssl },
    to,
  })
}

const changedRoute = (candidate: RouteCandidate, to: Ref, row: RouteRow, known: Known): Finding | undefined => {
  // A proxy that is known to answer for something unknown is no reason to take a route from its service.
  const sure =
    candidate.to._tag === "Elsewhere"
      ? refOf(candidate.to, new Map(), known) !== undefined
      : candidate.to.service !== candidate.proxy
  const moved = sure && !(to._tag === "Row" && to.serviceId === row.serviceId)
  const filled = {
    ...(row.proxyType === null && candidate.proxyType !== null ? { proxyType: candidate.proxyType } : {}),
    ...(row.ssl === null && candidate.ssl !== null ? { ssl: candidate.ssl } : {}),
  }
  const fields: ReadonlyArray<FieldChange> = [
    ...(moved
      ? [{ field: "service", from: labelOf({ _tag: "Row", serviceId: row.serviceId }, known), to: labelOf(to, known) }]
      : []),
    ...Object.entries(filled).map(([field, value]) => ({ field, from: null, to: value })),
  ]
  if (fields.length === 0) return undefined
  const proposal: Proposal = { _tag: "UpdateRoute", routeId: row.id, fields: filled, ...(moved ? { to } : {}) }
  return finding("route", "changed", entity.label(row), candidate, fields, proposal)
}

/** A route of a proxy that has sites on this host, and none for it. The proxy may be on another host: it is a hint. */
const goneRoute = (row: RouteRow, { sites, status }: Seen): Finding | undefined => {
  const proxy = row.proxyType
  if (proxy !== "nginx" && proxy !== "caddy") return undefined
  if (status[proxy] !== "ok" || !sites.some((site) => site.proxy === proxy)) return undefined
  const evidence = [
    { source: proxy, detail: `no site of ${proxy} here answers for ${row.domain}${row.path === "/" ? "" : row.path}` },
  ]
  const about = { confidence: 0.5, evidence }
  return finding("route", "gone", entity.label(row), about, [], { _tag: "RemoveRoute", routeId: row.id })
}

/** Dependencies are only ever new: that a host does not mention one says nothing. */
export const compareDependencies = (found: ReadonlyArray<DependencyCandidate>, refs: Refs, known: Known): Compared => {
  const findings: Array<Finding> = []
  let unchanged = 0
  for (const candidate of found) {
    const from = refs.get(candidate.service)
    if (from === undefined) continue
    const on = refOf(candidate.on, refs, known) ?? externalOf(candidate.on)
    if (on === undefined) continue
    if (
      known.dependencies.some(
        (row) =>
          isRow(row.serviceId, from) &&
          (on._tag === "External" ? row.dependsOnExternal === on.name : isRow(row.dependsOnServiceId, on)),
      )
    ) {
      unchanged++
      continue
    }
    const name = `${labelOf(from, known)} → ${on._tag === "External" ? on.name : labelOf(on, known)}`
    const fields = [
      ...(candidate.type === undefined ? [] : [{ field: "dependencyType", from: null, to: candidate.type }]),
      { field: "required", from: null, to: candidate.required },
    ]
    const { required, type = null } = candidate
    findings.push(
      finding("dependency", "new", name, candidate, fields, { _tag: "AddDependency", from, on, type, required }),
    )
  }
  return { findings, unchanged }
}

const externalOf = (on: Destination) =>
  on._tag === "Elsewhere" ? { _tag: "External" as const, name: `${on.host}:${on.port}` } : undefined

const isRow = (serviceId: string | null, ref: Ref): boolean => ref._tag === "Row" && ref.serviceId === serviceId

/** The service that something leads to: one of this scan, or one that another server has registered at that address. */
const refOf = (to: Destination, refs: Refs, { server, servers, services }: Known): Ref | undefined => {
  if (to._tag === "Here") return refs.get(to.service)
  const hosts = servers.filter(
    (one) =>
      one.id !== server.id && (one.ipAddresses.includes(to.host) || one.hostname === to.host || one.name === to.host),
  )
  const row = services.find((one) => one.port === to.port && hosts.some((host) => host.id === one.serverId))
  return row === undefined ? undefined : { _tag: "Row", serviceId: row.id }
}

const labelOf = (ref: Ref, { server, servers, services }: Known): string => {
  if (ref._tag === "New") return ref.name
  const row = services.find((one) => one.id === ref.serviceId)
  if (row === undefined) return "?"
  return row.serverId === server.id
    ? row.name
    : `${servers.find((one) => one.id === row.serverId)?.name ?? "?"}/${row.name}`
}

const finding = (
  kind: Finding["kind"],
  change: Finding["change"],
  name: string,
  { confidence, evidence }: Pick<Finding, "confidence" | "evidence">,
  fields: ReadonlyArray<FieldChange>,
  proposal: Proposal,
): Finding => ({ id: `${kind} ${name}`, kind, change, name, fields, confidence, evidence, proposal })
