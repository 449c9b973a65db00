/** `context infra machine approve <name>` */
import type { Role } from "@context-engine/core/domain/Machine"
import type { MachineRow } from "@context-engine/core/services/Machines"
import * as Effect from "effect/Effect"
import { asAdmin, explain, machineNamed, roleOf } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { argument, flag, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { withMachines } from "../../runtime.js"
import { Refused, UsageError } from "../../usage.js"

export const approve = leaf({
  name: "approve",
  description:
    "Enrols a machine that waits, once its fingerprint here is the one that it shows itself (context infra machine list, there); " +
    "with --admin it makes one that is enrolled already an admin, and with --member an admin a member. " +
    "Whoever has the token may ask under any name: only the fingerprint tells machines apart, so a script names that.",
  examples: [
    "machine approve phone",
    "machine approve 7g2k-m0xq --yes",
    "machine approve desk --admin",
    "machine approve desk --member",
  ],
  args: {
    name: argument("name", "Its name, id or fingerprint, or the first 4 or more characters of one of these two"),
  },
  options: {
    ...asAdmin,
    member: flag("member", "An admin may decide no more who writes: what it invited to is ended"),
    yes: removing.yes,
  },
  run: (given) =>
    withMachines(given, ({ machines }) =>
      Effect.gen(function* () {
        const row = yield* machineNamed(machines, given.name)
        const enrolled = row.status === "enrolled"
        if (given.admin && given.member) return yield* new UsageError(both)
        const wanted = enrolled && !given.admin && !given.member ? row.role : roleOf(given)
        if (enrolled && wanted === row.role) {
          const next = row.role === "admin" ? "to make it a member, add --member" : "to make it an admin, add --admin"
          return yield* new Refused({ message: `${row.name} is enrolled already, as ${row.role}`, next })
        }
        if (!given.yes && !enrolled) yield* explain(asks(row))
        yield* confirmed(given.yes, enrolled ? change(row, wanted) : enrol(row))
        return yield* machines.approve(row.machineId, wanted)
      }),
    ),
  said: ({ fingerprint, name, role }) => `${name} (${fingerprint}) is enrolled as ${role}`,
})

const asks = ({ fingerprint, name, status }: MachineRow): string =>
  `${name}${status === "revoked" ? ", which was revoked before," : ""} asks to write to this log. Its fingerprint: ${fingerprint}`

const enrol = ({ fingerprint, name }: MachineRow): string =>
  `enrol ${name}, if it shows the fingerprint ${fingerprint} there, too`

const change = ({ fingerprint, name }: MachineRow, role: Role): string =>
  role === "admin"
    ? `make ${name} (${fingerprint}) an admin, which decides, too, who writes`
    : `make ${name} (${fingerprint}) a member, which decides no more who writes`

const both = {
  message: "--admin and --member are two roles: give one of them",
  see: "context infra machine approve --help",
}
