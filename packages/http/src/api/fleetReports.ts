/** What the API answers with when something is done by hand to what runs: logs, restarts, commands, scans. */
import type { LifecycleReport as LifecycleReportData } from "@context-engine/core/services/Lifecycle"
import type { RunReport as RunReportData } from "@context-engine/core/services/RunCommand"
import type { Applied, FieldChange, Finding, ScanReport } from "@context-engine/core/services/Scanner"
import * as Schema from "effect/Schema"
import { row } from "./rows.js"

const text = Schema.NullOr(Schema.String)
const number = Schema.NullOr(Schema.Number)

/** The last lines of a log. `truncated`: there were more than an answer holds. */
export interface LogLinesData {
  readonly service: string
  readonly lines: ReadonlyArray<string>
  readonly truncated: boolean
}

export const LogLines = row<LogLinesData>("LogLines", {
  service: Schema.String,
  lines: Schema.Array(Schema.String),
  truncated: Schema.Boolean,
})

export const LifecycleReport = row<LifecycleReportData>("LifecycleReport", {
  service: Schema.String,
  server: Schema.String,
  action: Schema.Literal("restart", "stop", "start"),
  outcome: Schema.Literal("done", "failed", "unknown"),
  reason: text,
  exitCode: number,
  verified: Schema.Boolean,
  duration: Schema.Number,
  logs: Schema.String,
})

const RemoteReason = Schema.Literal(
  "unreachable",
  "timeout",
  "no-answer",
  "authentication",
  "unreadable-key",
  "elsewhere",
  "host-key-unknown",
  "host-key-changed",
  "connection-lost",
  "refused",
)

export const RunReport = row<RunReportData>("RunReport", {
  server: Schema.String,
  exitCode: number,
  stdout: Schema.String,
  stderr: Schema.String,
  truncated: Schema.Boolean,
  duration: Schema.Number,
  error: Schema.NullOr(Schema.Struct({ reason: RemoteReason, message: Schema.String })),
})

const Source = Schema.Literal("systemd", "docker", "podman", "pm2", "sockets", "nginx", "caddy", "cron")

const Change = row<FieldChange>("FieldChange", {
  field: Schema.String,
  from: Schema.Unknown as Schema.Schema<FieldChange["from"]>,
  to: Schema.Unknown as Schema.Schema<FieldChange["to"]>,
})

const FindingRow = row<Omit<Finding, "proposal">>("Finding", {
  id: Schema.String,
  kind: Schema.Literal("service", "route", "dependency"),
  change: Schema.Literal("new", "changed", "gone"),
  name: Schema.String,
  fields: Schema.Array(Change),
  confidence: Schema.Number,
  evidence: Schema.Array(
    Schema.Struct({
      source: Source,
      detail: Schema.String,
    }),
  ),
})

/** A scan without what it would do about its findings: they are chosen by their ids. */
export interface ScanAnswerData extends Omit<ScanReport, "findings"> {
  readonly findings: ReadonlyArray<Omit<Finding, "proposal">>
  readonly applied: Applied | null
}

export const ScanAnswer = row<ScanAnswerData>("ScanAnswer", {
  server: Schema.String,
  scannedAt: Schema.String,
  took: Schema.Number,
  sources: Schema.Array(
    Schema.Struct({
      source: Source,
      status: Schema.Literal("ok", "absent", "failed", "late", "cut"),
      found: Schema.Number,
    }),
  ),
  findings: Schema.Array(FindingRow),
  unchanged: Schema.Number,
  applied: Schema.NullOr(
    Schema.Struct({
      applied: Schema.Array(Schema.String),
      skipped: Schema.Array(Schema.Struct({ id: Schema.String, reason: Schema.String })),
    }),
  ),
})
