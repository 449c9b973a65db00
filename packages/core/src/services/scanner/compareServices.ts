/** Services found against services registered. Pure. */
import type { ServiceRow } from "../../views/services.js"
import type { Evidence, ServiceCandidate } from "./candidates.js"
import { type FieldChange, type Finding, type Known, keeperOf, type Ref, type ServiceFields } from "./finding.js"
import type { Seen } from "./seen.js"

/** `refs`: which row, or new service, each candidate is; by the candidate's name. */
export interface ComparedServices {
  readonly findings: ReadonlyArray<Finding>
  readonly unchanged: number
  readonly refs: ReadonlyMap<string, Ref>
}

export const compareServices = (found: ReadonlyArray<ServiceCandidate>, seen: Seen, known: Known): ComparedServices => {
  const rows = known.services.filter((row) => row.serverId === known.server.id)
  const pairs = pair(found, rows)
  const names = new Set(rows.map((row) => row.name))
  const refs = new Map<string, Ref>()
  const findings: Array<Finding> = []
  let unchanged = 0
  for (const candidate of found) {
    const row = pairs.get(candidate)
    // A service of that name may be registered, and be another one.
    const name = row === undefined ? freeName(candidate.name, names) : row.name
    names.add(name)
    refs.set(candidate.name, row === undefined ? { _tag: "New", name } : { _tag: "Row", serviceId: row.id })
    const finding = row === undefined ? added(candidate, name) : changed(candidate, row)
    if (finding === undefined) unchanged++
    else findings.push(finding)
  }
  const matched = new Set([...pairs.values()])
  const gone = rows.filter((row) => !matched.has(row)).flatMap((row) => missing(row, seen) ?? [])
  return { findings: [...findings, ...gone], unchanged, refs }
}

/** Each candidate with the row it is: of what is kept alike, of the same name, of the same port; each row once. */
const pair = (
  found: ReadonlyArray<ServiceCandidate>,
  rows: ReadonlyArray<ServiceRow>,
): ReadonlyMap<ServiceCandidate, ServiceRow> => {
  const pairs = new Map<ServiceCandidate, ServiceRow>()
  const free = new Set(rows)
  const by = (
    keys: (row: ServiceRow) => ReadonlyArray<unknown>,
    wanted: (one: ServiceCandidate) => ReadonlyArray<unknown>,
  ) => {
    const index = new Map<unknown, ServiceRow>()
    for (const row of free) for (const key of keys(row)) if (!index.has(key)) index.set(key, row)
    for (const candidate of found) {
      if (pairs.has(candidate)) continue
      const row = wanted(candidate)
        .map((key) => index.get(key))
        .find((one) => one !== undefined && free.has(one))
      if (row === undefined) continue
      pairs.set(candidate, row)
      free.delete(row)
    }
  }
  const kept = (keeper: object) => Object.entries(keeper).map(([key, value]) => `${key} ${value}`)
  by(
    (row) => kept(keeperOf(row.config)),
    (one) => kept(one.keeper),
  )
  by(
    (row) => [row.name.toLowerCase()],
    (one) => [
      one.name.toLowerCase(),
      ...Object.values(one.keeper).map((name) => name.replace(/\.service$/, "").toLowerCase()),
    ],
  )
  by(
    (row) => (row.port === null ? [] : [row.port]),
    (one) => one.ports,
  )
  return pairs
}

const freeName = (name: string, names: ReadonlySet<string>): string => {
  if (!names.has(name)) return name
  let n = 2
  while (names.has(`${name.slice(0, 58)}-${n}`)) n++
  return `${name.slice(0, 58)}-${n}`
}

const added = (candidate: ServiceCandidate, name: string): Finding => {
  const fields = defined({
    type: candidate.type,
    runtime: candidate.runtime,
    port: candidate.port,
    projectPath: candidate.projectPath,
    config: Object.keys(candidate.keeper).length === 0 ? undefined : candidate.keeper,
  })
  return {
    ...about(candidate),
    id: `service ${name}`,
    change: "new",
    name,
    fields: Object.entries(fields).map(([field, to]) => ({ field, from: null, to }) as FieldChange),
    proposal: { _tag: "AddService", name, fields },
  }
}

/** What keeps services; a registered runtime that is none of these is a language, and stays. */
const keepers = new Set(["docker", "podman", "pm2", "systemd"])

const changed = (candidate: ServiceCandidate, row: ServiceRow): Finding | undefined => {
  const { keeper, ports, projectPath, runtime, type } = candidate
  const own = keeperOf(row.config)
  const fields: ServiceFields = defined({
    type: row.type === null ? type : undefined,
    runtime: row.runtime === null || (keepers.has(row.runtime) && keepers.has(runtime ?? "")) ? runtime : undefined,
    port: row.port !== null && ports.includes(row.port) ? undefined : candidate.port,
    projectPath,
    config: Object.entries(keeper).some(([key, value]) => own[key as keyof typeof own] !== value)
      ? { ...(row.config as object | null), ...keeper }
      : undefined,
  })
  const changes = Object.entries(fields).filter(
    ([field, to]) => JSON.stringify(row[field as keyof ServiceRow]) !== JSON.stringify(to),
  )
  if (changes.length === 0) return undefined
  return {
    ...about(candidate),
    id: `service ${row.name}`,
    change: "changed",
    name: row.name,
    fields: changes.map(([field, to]) => ({ field, from: row[field as keyof ServiceRow], to }) as FieldChange),
    proposal: { _tag: "UpdateService", serviceId: row.id, fields: Object.fromEntries(changes) },
  }
}

/** A service that nothing was found of, where a tool that answered would have shown it. */
const missing = (row: ServiceRow, { sockets, status }: Seen): Finding | undefined => {
  const keeper = keeperOf(row.config)
  const evidence: ReadonlyArray<Evidence | undefined> = [
    keeper.unit !== undefined && status.systemd === "ok"
      ? { source: "systemd", detail: `systemd knows no unit ${keeper.unit} worth a service` }
      : undefined,
    ...(["docker", "podman"] as const).map((tool): Evidence | undefined =>
      keeper.container !== undefined && row.runtime === tool && status[tool] === "ok"
        ? { source: tool, detail: `${tool} has no container ${keeper.container} that is to run` }
        : undefined,
    ),
    keeper.pm2 !== undefined && status.pm2 === "ok"
      ? { source: "pm2", detail: `pm2 keeps no process ${keeper.pm2}` }
      : undefined,
    row.port !== null && status.sockets === "ok" && !sockets.some(({ port }) => port === row.port)
      ? { source: "sockets", detail: `nothing listens on port ${row.port}` }
      : undefined,
  ]
  const told = evidence.filter((one) => one !== undefined)
  // Its keeper may have failed to answer, and a stopped service listens nowhere.
  const kept = Object.keys(keeper).length > 0
  if (told.length === 0 || (kept && told.every(({ source }) => source === "sockets"))) return undefined
  return {
    id: `service ${row.name}`,
    kind: "service",
    change: "gone",
    name: row.name,
    fields: [],
    confidence: kept ? 0.8 : 0.5,
    evidence: told,
    proposal: { _tag: "RemoveService", serviceId: row.id },
  }
}

const about = ({ confidence, evidence }: ServiceCandidate) => ({ kind: "service" as const, confidence, evidence })

const defined = (fields: Readonly<Record<string, unknown>>): ServiceFields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
