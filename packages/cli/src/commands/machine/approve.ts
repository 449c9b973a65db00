/** `context infra machine approve <name>` */
import * as Effect from "effect/Effect"
import { asAdmin, explain, machineNamed, roleOf } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { argument, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { withMachines } from "../../runtime.js"
import { Refused } from "../../usage.js"

export const approve = leaf({
  name: "approve",
  description:
    "Enrols a machine that waits, once its fingerprint here is the one that it shows itself (context infra machine list, there). " +
    "Whoever has the token may ask under any name: only the fingerprint tells machines apart, so a script names that.",
  examples: ["machine approve phone", "machine approve 7g2k-m0xq --yes", "machine approve desk --admin"],
  args: { name: argument("name", "Its name, id or fingerprint, or the beginning of one") },
  options: { ...asAdmin, yes: removing.yes },
  run: (given) =>
    withMachines(given, ({ machines }) =>
      Effect.gen(function* () {
        const row = yield* machineNamed(machines, given.name)
        if (row.status === "enrolled") return yield* new Refused({ message: `${row.name} is enrolled already` })
        const again = row.status === "revoked" ? ", which was revoked before" : ""
        if (!given.yes)
          yield* explain(`${row.name}${again} asks to write to this log. Its fingerprint: ${row.fingerprint}`)
        yield* confirmed(given.yes, `enrol ${row.name}, if it shows the fingerprint ${row.fingerprint} there, too`)
        return yield* machines.approve(row.machineId, roleOf(given))
      }),
    ),
  said: ({ fingerprint, name, role }) => `enrolled ${name} (${fingerprint}) as ${role}`,
})
