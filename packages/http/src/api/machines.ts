/** The part of the contract that says who may write to the log. What concerns this one machine's trust is no part of it. */

import { Instant } from "@context-engine/core/domain/fields"
import { MachineName, Role } from "@context-engine/core/domain/Machine"
import type {
  Invited as Invited_,
  MachineRow,
  Machines_,
  PendingRoot,
  Revoked as Revoked_,
} from "@context-engine/core/services/Machines"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import * as Fields from "./fields.js"
import { says } from "./openapi.js"
import { row, withCreated } from "./rows.js"

const text = Schema.NullOr(Schema.String)

const machine = {
  machineId: Schema.String,
  name: Schema.String,
  role: Role,
  status: Schema.Literal("enrolled", "waiting", "revoked"),
  position: Schema.Number,
  by: text,
  invite: text,
  fingerprint: Schema.String,
  root: Schema.Boolean,
  here: Schema.Boolean,
}
const Machine = row<MachineRow>("Machine", machine)

const Revoked = row<Revoked_>("RevokedMachine", {
  ...machine,
  ended: Schema.Array(Schema.String),
  letIn: Schema.Array(Schema.String),
})

const Invite = row<Machines_["invites"][number]>("Invite", {
  inviteId: Schema.String,
  role: Role,
  uses: Schema.Number,
  left: Schema.Number,
  expiresAt: Schema.String,
  by: Schema.String,
  closed: Schema.Boolean,
})

const Pending = row<PendingRoot>("PendingRoot", {
  name: Schema.String,
  fingerprint: Schema.String,
  position: Schema.Number,
})

const Machines = row<Machines_>("Machines", {
  machines: Schema.Array(Machine),
  invites: Schema.Array(Invite),
  pendingRoots: Schema.Array(Pending),
  otherRoots: Schema.Array(Pending),
})

const Invited = row<Invited_>("InviteCode", {
  inviteId: Schema.String,
  code: Schema.String,
  role: Role,
  uses: Schema.Number,
  expiresAt: Schema.String,
})

const JobKey = row<{ readonly key: string; readonly machine: MachineRow }>("JobKey", {
  key: Schema.String,
  machine: Machine,
})

const Acknowledged = row<{ readonly acknowledged: number }>("Acknowledged", { acknowledged: Schema.Number })

/** Who comes is a member unless it is said otherwise. */
const role = { role: Schema.optional(Role) }

const which = "`id` is its name, its id or its fingerprint, or the beginning of one that fits no other."

const list = HttpApiEndpoint.get("list", "/machines")
  .addSuccess(Machines)
  .annotateContext(
    says("List the machines that may write to the log, with open invites and roots that nobody here accepted"),
  )

const add = HttpApiEndpoint.post("add", "/machines")
  .setPayload(Fields.body("NewMachine", { name: MachineName, ...role }))
  .addSuccess(withCreated(JobKey))
  .annotateContext(
    says("Make a key for a job and enrol it", "The answer is the key's only copy: one line, for `CONTEXT_KEY`."),
  )

const approve = HttpApiEndpoint.post("approve", "/machines/:id/approve")
  .setPath(Fields.path("id"))
  .setPayload(Fields.optionalBody("Approval", role))
  .addSuccess(Machine)
  .annotateContext(
    says(
      "Enrol a machine that waits, or make a member an admin",
      `${which} Anybody with the token may ask under any name: name the fingerprint.`,
    ),
  )

const revoke = HttpApiEndpoint.post("revoke", "/machines/:id/revoke")
  .setPath(Fields.path("id"))
  .addSuccess(Revoked)
  .annotateContext(
    says(
      "Take from a machine the right to write",
      `${which} What it wrote before counts; what comes after does not. Invites that it made end: \`ended\`; machines that it let in stay: \`letIn\`.`,
    ),
  )

const rename = HttpApiEndpoint.post("rename", "/machines/:id/rename")
  .setPath(Fields.path("id"))
  .setPayload(Fields.body("MachineRename", { to: MachineName }))
  .addSuccess(Machine)
  .annotateContext(says("Rename a machine", which))

const acknowledge = HttpApiEndpoint.post("acknowledge", "/machines/acknowledge")
  .addSuccess(Acknowledged)
  .annotateContext(says("Say that a person has seen the events that count for nothing", "`GET /v1/sync` shows them."))

const invite = HttpApiEndpoint.post("invite", "/machines/invites")
  .setPayload(
    Fields.optionalBody("NewInvite", {
      ...role,
      /** Default 1. */
      uses: Schema.optional(Schema.Int.pipe(Schema.between(1, 10_000))),
      /** Default in a quarter of an hour. */
      expiresAt: Schema.optional(Instant),
    }),
  )
  .addSuccess(withCreated(Invited))
  .annotateContext(
    says("Make an invite", "The answer is the code's only copy: context infra sync connect <url> --invite <code>."),
  )

const withdraw = HttpApiEndpoint.del("withdraw", "/machines/invites/:id")
  .setPath(Fields.path("id"))
  .annotateContext(says("End an invite", "`id` may be the beginning of it."))

export const machines = HttpApiGroup.make("machines")
  .add(list)
  .add(add)
  .add(invite)
  .add(withdraw)
  .add(acknowledge)
  .add(approve)
  .add(revoke)
  .add(rename)
  .annotateContext(OpenApi.annotations({ description: "Who may write to the log. Only an admin machine decides." }))
