/**
 * How the views lie in SQL: the one place that knows the columns' names and kinds.
 *
 * A row's field `ipAddresses` is the column `ip_addresses`; lists and objects are JSON text, booleans are 0 and 1.
 */
import { canonicalJson, storedText } from "@context-engine/core/CanonicalJson"

/** What a column holds, and so how it is stored. */
type Kind = "text" | "integer" | "real" | "boolean" | "json"

export interface Column {
  readonly field: string
  readonly column: string
  readonly kind: Kind
  readonly encode: (value: unknown) => unknown
}

export interface Table {
  readonly name: string
  /** The projection version this layout belongs to. */
  readonly version: number
  readonly columns: ReadonlyArray<Column>
  /** The fields of a row as SQL parameters, in the order of `columns`. */
  readonly encode: (row: object) => ReadonlyArray<unknown>
  readonly create: (name: string) => string
  /** Inserts a row, given as the parameters that `encode` makes, into the table or its double. */
  readonly insert: (into: string) => string
  /** Reads the rows of some ids, given as a JSON array, as one JSON array. */
  readonly select: (from: string) => string
  readonly delete: (from: string) => string
  /** The fields that are part of a unique key. */
  readonly keys: ReadonlyArray<string>
  /** One row as a JSON object, built by SQLite: cheaper to read than many columns. */
  readonly rowAsJson: string
  /** The default order, as SQL. */
  readonly order: string
}

const snake = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const sqlType: Record<Kind, string> = {
  text: "TEXT",
  integer: "INTEGER",
  real: "REAL",
  boolean: "INTEGER",
  json: "TEXT",
}

/** The driver ends the process where it is given what SQL has no value for. */
const only = (type: "string" | "number") => (value: unknown) => {
  if (value === null || value === undefined) return null
  if (typeof value !== type) throw new TypeError(`a column that holds a ${type} was given something else`)
  return typeof value === "string" ? storedText(value) : value
}

const encoders: Record<Kind, (value: unknown) => unknown> = {
  text: only("string"),
  integer: only("number"),
  real: only("number"),
  boolean: (value) => (value === null || value === undefined ? null : value ? 1 : 0),
  // Canonical, so that equal rows are equal texts, however they were folded.
  json: (value) => (value === null || value === undefined ? null : canonicalJson(value)),
}

const asJson: Record<Kind, (column: string) => string> = {
  text: (column) => column,
  integer: (column) => column,
  // SQLite's own JSON has 15 digits of a number; 17 are needed to tell every two of them apart.
  real: (column) => `json(CASE WHEN ${column} IS NULL THEN 'null' ELSE printf('%!.17g', ${column}) END)`,
  boolean: (column) => `json(CASE ${column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END)`,
  json: (column) => `json(coalesce(${column}, 'null'))`,
}

const table = (
  name: string,
  version: number,
  fields: Record<string, Kind>,
  unique: ReadonlyArray<ReadonlyArray<string>> = [],
): Table => {
  const columns = Object.entries({ id: "text" as Kind, ...fields }).map(
    ([field, kind]): Column => ({ field, column: snake(field), kind, encode: encoders[kind] }),
  )
  const definitions = columns.map(
    ({ column, kind }) => `  "${column}" ${sqlType[kind]}${column === "id" ? " NOT NULL PRIMARY KEY" : ""}`,
  )
  const constraints = unique.map((key) => `  UNIQUE (${key.map(snake).join(", ")})`)
  const members = columns.map(({ column, field, kind }) => `'${field}', ${asJson[kind](`"${column}"`)}`)
  const rowAsJson = `json_object(${members.join(", ")})`
  const names = columns.map(({ column }) => `"${column}"`).join(", ")
  return {
    name,
    version,
    columns,
    rowAsJson,
    encode: (row) => columns.map(({ encode, field }) => encode((row as Record<string, unknown>)[field])),
    create: (as) => `CREATE TABLE "${as}" (\n${[...definitions, ...constraints].join(",\n")}\n) STRICT, WITHOUT ROWID;`,
    insert: (into) => `INSERT INTO "${into}" (${names}) VALUES (${columns.map(() => "?").join(", ")})`,
    select: (from) =>
      `SELECT json_group_array(${rowAsJson}) FROM "${from}" WHERE id IN (SELECT value FROM json_each(?))`,
    delete: (from) => `DELETE FROM "${from}" WHERE id = ?`,
    keys: unique.flat(),
    order: `"${snake(unique[0]?.[0] ?? "id")}", id`,
  }
}

const times = { createdAt: "text", updatedAt: "text" } as const

export const servers = table(
  "servers",
  3,
  {
    name: "text",
    hostname: "text",
    ipAddresses: "json",
    role: "text",
    sshConfig: "json",
    local: "boolean",
    localKey: "text",
    localMachine: "text",
    os: "text",
    resources: "json",
    tags: "json",
    status: "text",
    statusReason: "text",
    lastSeen: "text",
    lastChecked: "text",
    statusLook: "json",
    hostKeys: "json",
    notes: "text",
    ...times,
  },
  [["name"]],
)

export const services = table(
  "services",
  4,
  {
    name: "text",
    serverId: "text",
    type: "text",
    runtime: "text",
    port: "integer",
    healthEndpoint: "text",
    healthStatus: "text",
    healthDetail: "text",
    lastHealthCheck: "text",
    healthLook: "json",
    config: "json",
    envVars: "json",
    projectPath: "text",
    gitRepo: "text",
    currentVersion: "text",
    pinned: "json",
    lastDeployment: "text",
    deploymentLook: "json",
    deployCommand: "text",
    deploySettings: "json",
    restartCommand: "text",
    logPath: "text",
    status: "text",
    statusLook: "json",
    notes: "text",
    ...times,
  },
  [["name", "serverId"]],
)

export const routes = table(
  "routes",
  1,
  {
    domain: "text",
    path: "text",
    serviceId: "text",
    method: "text",
    proxyType: "text",
    ssl: "text",
    rateLimit: "json",
    authRequired: "boolean",
    notes: "text",
    ...times,
  },
  [["domain", "path", "method"]],
)

export const dependencies = table(
  "service_deps",
  1,
  {
    serviceId: "text",
    dependsOnServiceId: "text",
    dependsOnExternal: "text",
    dependencyType: "text",
    connectionStringEnv: "text",
    required: "boolean",
    notes: "text",
    ...times,
  },
  [
    ["serviceId", "dependsOnServiceId"],
    ["serviceId", "dependsOnExternal"],
  ],
)

export const deployments = table("deployments", 2, {
  serviceId: "text",
  service: "text",
  server: "text",
  version: "text",
  previousVersion: "text",
  deployedBy: "text",
  machine: "text",
  deployMethod: "text",
  status: "text",
  startedAt: "text",
  completedAt: "text",
  durationSeconds: "real",
  logs: "text",
  reason: "text",
  verified: "boolean",
  rollbackVersion: "text",
  notes: "text",
  steps: "json",
})

export const infraEvents = table("infra_events", 2, {
  serverId: "text",
  serviceId: "text",
  server: "text",
  service: "text",
  type: "text",
  severity: "text",
  title: "text",
  description: "text",
  metadata: "json",
  actor: "text",
  source: "text",
  createdAt: "text",
  position: "integer",
})

export const secrets = table(
  "secrets_registry",
  1,
  {
    name: "text",
    serviceId: "text",
    serverId: "text",
    secretManager: "text",
    path: "text",
    lastRotated: "text",
    rotationPolicy: "json",
    notes: "text",
    ...times,
  },
  [["name", "serviceId", "serverId"]],
)

export const rejections = table("rejections", 2, {
  commandId: "text",
  what: "text",
  reason: "text",
  status: "text",
  actor: "text",
  machine: "text",
  givenAt: "text",
  rejectedAt: "text",
  events: "json",
})

/** Every table of rows. */
export const tables: ReadonlyArray<Table> = [
  servers,
  services,
  routes,
  dependencies,
  deployments,
  infraEvents,
  secrets,
  rejections,
]
