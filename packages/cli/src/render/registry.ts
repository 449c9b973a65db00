/** Routes, dependencies and secrets as text. */
import type { DependencyView } from "@context-engine/core/services/registry/dependencies"
import type { RouteView } from "@context-engine/core/services/registry/routes"
import type { SecretView } from "@context-engine/core/services/registry/secrets"
import { block, type Cell, type Column, table } from "./table.js"
import type { Renderer, Screen } from "./text.js"
import { ago, moment } from "./units.js"

const limit = (route: RouteView): string =>
  route.rateLimit === null ? "" : `${route.rateLimit.requests}/${route.rateLimit.window}`

export const routes: Renderer<ReadonlyArray<RouteView>> = (rows, screen) => {
  const columns: ReadonlyArray<Column<RouteView>> = [
    { title: "domain", cell: (route) => route.domain },
    { title: "path", cell: (route) => route.path },
    { title: "method", cell: (route) => (route.method === "*" ? "" : route.method) },
    { title: "service", cell: (route) => `${route.server}/${route.service}` },
    { title: "proxy", cell: (route) => route.proxyType },
    { title: "ssl", cell: (route) => route.ssl },
    { title: "limit", cell: limit },
    { title: "auth", cell: (route) => (route.authRequired ? "required" : "") },
    { title: "notes", cell: (route) => route.notes, flexible: true },
  ]
  return rows.length === 0
    ? "no routes yet\n  add one: context infra route add <domain> --service <service>"
    : table(screen, columns, rows)
}

export const route: Renderer<RouteView> = (row, screen) =>
  block(screen, `${row.method === "*" ? "" : `${row.method} `}${row.domain}${row.path}`, [
    ["service", `${row.server}/${row.service}`],
    ["proxy", row.proxyType],
    ["ssl", row.ssl],
    ["limit", limit(row)],
    ["auth", row.authRequired ? "required" : "not required"],
    ["notes", row.notes],
    ["added", ago(screen, row.createdAt)],
  ])

export const dependencies: Renderer<ReadonlyArray<DependencyView>> = (rows, screen) =>
  rows.length === 0
    ? "no dependencies\n  add one: context infra dep add <service> --on <service>, or --external <name>"
    : table(screen, dependencyColumns, rows)

const dependencyColumns: ReadonlyArray<Column<DependencyView>> = [
  { title: "service", cell: (row) => row.service },
  { title: "depends on", cell: (row) => row.dependsOn },
  { title: "type", cell: (row) => row.dependencyType },
  { title: "kind", cell: (row) => `${row.required ? "required" : "optional"}${row.external ? ", external" : ""}` },
  { title: "variable", cell: (row) => row.connectionStringEnv },
  { title: "notes", cell: (row) => row.notes, flexible: true },
]

export const secrets: Renderer<ReadonlyArray<SecretView>> = (rows, screen) => {
  const columns: ReadonlyArray<Column<SecretView>> = [
    { title: "name", cell: (secret) => secret.name },
    { title: "of", cell: (secret) => secret.service ?? secret.server },
    { title: "manager", cell: (secret) => secret.secretManager },
    { title: "path", cell: (secret) => secret.path, flexible: true },
    { title: "rotated", cell: (secret) => ago(screen, secret.lastRotated) },
    { title: "every", cell: (secret) => secret.rotationPolicy?.interval },
    { title: "due", cell: (secret) => due(screen, secret.rotationDue) },
    { title: "notes", cell: (secret) => secret.notes, flexible: true },
  ]
  return rows.length === 0
    ? "no secrets yet\n  register a name, never a value: context infra secret add <NAME> --service <service> --manager vault"
    : table(screen, columns, rows)
}

/** When it is to be rotated next; a date that has passed is a warning. */
const due = (screen: Screen, instant: string | null): Cell => {
  if (instant === null || screen.now === undefined) return instant && moment(instant)
  const late = Date.parse(instant) < screen.now
  return {
    text: late ? `overdue since ${instant.slice(0, 10)}` : instant.slice(0, 10),
    style: late ? "warn" : undefined,
  }
}
