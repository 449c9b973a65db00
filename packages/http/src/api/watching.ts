/** The part of the contract that says what is wrong, and how this machine stands to the log that all machines share. */
import { Original } from "@context-engine/core/domain/Rejection"
import type { Alert as AlertData } from "@context-engine/core/services/Alerts"
import type { SyncStatus as SyncStatusData } from "@context-engine/core/services/Sync"
import type { RejectionRow } from "@context-engine/core/views/rejections"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { row } from "./rows.js"

const text = Schema.NullOr(Schema.String)

const Alert = row<AlertData>("Alert", {
  kind: Schema.Literal("server", "service", "deployment", "rejected", "sync", "log"),
  severity: Schema.Literal("warning", "error", "critical"),
  subject: Schema.String,
  message: Schema.String,
  since: text,
  next: Schema.String,
})

const reasons = [
  "not-connected",
  "offline",
  "unauthorised",
  "read-only",
  "foreign",
  "to-merge",
  "reset",
  "rolled-back",
  "newer-schema",
  "not-enrolled",
  "no-root",
  "new-root",
  "protocol",
  "damaged",
  "busy",
  "full",
  "corrupt",
  "not-a-database",
  "replaced",
  "unavailable",
  "defect",
] as const

const SyncStatus = row<SyncStatusData>("SyncStatus", {
  remote: text,
  logId: text,
  confirmed: Schema.Number,
  pending: Schema.Number,
  pendingSince: text,
  behind: Schema.Number,
  lastContact: text,
  skew: Schema.NullOr(Schema.Number),
  lastError: Schema.NullOr(
    Schema.Struct({
      reason: Schema.Literal(...reasons),
      message: Schema.String,
      at: Schema.String,
      next: Schema.String,
    }),
  ),
  rejected: Schema.Number,
  unknown: Schema.Array(Schema.Struct({ type: Schema.String, by: Schema.String })),
  inert: Schema.Number,
  inertEvents: Schema.Array(
    Schema.Struct({ position: Schema.Number, reason: Schema.String, claims: Schema.String, type: Schema.String }),
  ),
  breaks: Schema.Array(Schema.Struct({ position: Schema.Number, message: Schema.String })),
  roots: Schema.Array(Schema.Struct({ name: Schema.String, position: Schema.Number, fingerprint: Schema.String })),
  wrongClocks: Schema.Array(
    Schema.Struct({
      position: Schema.Number,
      machine: Schema.String,
      own: Schema.Boolean,
      ahead: Schema.Number,
      at: Schema.String,
    }),
  ),
  clonedAt: text,
  keyTrouble: Schema.NullOr(Schema.String),
  enrolment: Schema.Literal("enrolled", "waiting", "revoked", "not-enrolled", "no-root", "unsigned"),
  asking: Schema.Array(Schema.Struct({ name: Schema.String, fingerprint: Schema.String })),
  loss: Schema.NullOr(
    Schema.Struct({ message: Schema.String, position: Schema.Number, since: text, next: Schema.String }),
  ),
})

const Rejection = row<RejectionRow>("Rejection", {
  id: Schema.String,
  commandId: Schema.String,
  what: Schema.String,
  reason: Schema.String,
  status: Schema.Literal("open", "moot", "retried", "dropped"),
  actor: Schema.String,
  machine: Schema.String,
  givenAt: Schema.String,
  rejectedAt: Schema.String,
  events: Schema.Array(Original),
})

const says = (summary: string) => OpenApi.annotations({ summary })

export const watching = HttpApiGroup.make("watching", { topLevel: true })
  .add(
    HttpApiEndpoint.get("alerts", "/alerts")
      .addSuccess(Schema.Array(Alert))
      .annotateContext(says("Show what is wrong now, the gravest first, with what to do next")),
  )
  .add(
    HttpApiEndpoint.get("sync", "/sync")
      .addSuccess(SyncStatus)
      .annotateContext(says("Show how this machine stands to the shared log; asks nobody")),
  )
  .add(
    HttpApiEndpoint.get("rejections", "/sync/rejections")
      .addSuccess(Schema.Array(Rejection))
      .annotateContext(says("List commands that could not stand beside what others did, open ones first")),
  )
  .annotateContext(OpenApi.annotations({ description: "What is wrong, and how the log is shared." }))
