/** A deployment as it goes from hand to hand: what there is to know to see it to its end, on this machine or another. */
import * as Either from "effect/Either"
import type { DeployMethod, DeploySettings } from "../../domain/Service.js"
import { spanMillis } from "../../Time.js"
import type { DeploymentRow } from "../../views/deployments.js"
import { fullName, type Placed } from "../names.js"
import type { Place } from "./host/Ledger.js"
import type { DeployOptions, Watch } from "./types.js"
import { checkVersion } from "./version.js"

/** What has to hold after the commands. Milliseconds. */
export interface Gate {
  readonly timeout: number
  readonly count: number
}

export interface Run {
  readonly placed: Placed
  readonly id: string
  readonly at: Place
  readonly method: DeployMethod
  /** The commit or version to bring; `undefined` for whatever the command brings. */
  readonly version: string | undefined
  readonly previous: string | null
  readonly deployedBy: string
  readonly notes: string | null
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly gate: Gate
  /** Milliseconds. */
  readonly timeout: number
  readonly autoRollback: boolean
  /** Values that must not be kept, wherever they are printed. */
  readonly hidden: ReadonlyArray<string>
  readonly watch: Watch
}

/** The values of the variables that a service's settings name, as far as they are known here. Short ones hide nothing. */
export const hiddenOf = ({ service }: Placed, { environment = {} }: Watch): ReadonlyArray<string> =>
  (service.deploySettings?.env ?? []).flatMap((name) => {
    const value = environment[name]
    return value !== undefined && value.length >= 6 ? [value] : []
  })

/** What is asked, over what the service is set to, over what is usual. */
export const limitsOf = (
  settings: DeploySettings | null,
  options: DeployOptions,
): Pick<Run, "gate" | "timeout" | "autoRollback"> => ({
  gate: {
    timeout: options.healthTimeout ?? millis(settings?.healthTimeout) ?? 60_000,
    count: options.healthCount ?? settings?.healthCount ?? 2,
  },
  timeout: options.timeout ?? millis(settings?.timeout) ?? 15 * 60_000,
  autoRollback: options.autoRollback ?? settings?.autoRollback ?? false,
})

const millis = (span: string | undefined): number | undefined => (span === undefined ? undefined : spanMillis(span))

/** What the ledger on the host keeps of a run. */
export const metaOf = (run: Run, attendant: string, machine: string): Readonly<Record<string, unknown>> => ({
  service: fullName(run.placed),
  method: run.method,
  version: run.version ?? null,
  previous: run.previous,
  deployedBy: run.deployedBy,
  notes: run.notes,
  startedAt: run.startedAt,
  gate: run.gate,
  timeout: run.timeout,
  machine,
  attendant,
})

type Meta = Readonly<Record<string, unknown>>

/** What is known of a run that somebody began. `now` is the time, in milliseconds since 1970. */
export interface Known {
  readonly placed: Placed
  readonly id: string
  readonly row: DeploymentRow | undefined
  readonly meta: Meta
  readonly now: number
}

/** A run that somebody began, from the log where it knows it, else from what the ledger says: text from a host, checked. */
export const resumed = ({ placed, id, row, meta, now }: Known, watch: Watch): Run => {
  const limits = limitsOf(placed.service.deploySettings, {})
  const gate = (typeof meta.gate === "object" && meta.gate !== null ? meta.gate : {}) as Meta
  return {
    placed,
    id,
    at: { server: placed.server, service: row?.service ?? placed.service.name, id },
    method: row?.deployMethod ?? method(meta.method),
    version: version(row?.version ?? meta.version) ?? undefined,
    previous: version(row?.previousVersion ?? meta.previous),
    deployedBy: row?.deployedBy ?? line(meta.deployedBy) ?? "unknown",
    notes: row?.notes ?? line(meta.notes),
    startedAt: row === undefined ? within(meta.startedAt, 0, 8.64e15, now) : Date.parse(row.startedAt),
    gate: {
      timeout: within(gate.timeout, 0, 86_400_000, limits.gate.timeout),
      count: within(gate.count, 1, 100, limits.gate.count),
    },
    timeout: within(meta.timeout, 0, 86_400_000, limits.timeout),
    // Whoever picks it up is asked nothing, and decides nothing.
    autoRollback: false,
    hidden: hiddenOf(placed, watch),
    watch,
  }
}

const method = (value: unknown): DeployMethod =>
  value === "ci" || value === "claude" || value === "rollback" ? value : "manual"

const version = (value: unknown): string | null =>
  typeof value === "string" && Either.isRight(checkVersion(value)) ? value : null

const line = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value.replaceAll(/\s+/g, " ").slice(0, 500) : null

const within = (value: unknown, least: number, most: number, otherwise: number): number =>
  typeof value === "number" && value >= least && value <= most ? value : otherwise
