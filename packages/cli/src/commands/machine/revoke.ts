/** `context infra machine revoke <name>` */
import * as Effect from "effect/Effect"
import { explain, machineNamed } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { argument, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { count } from "../../render/units.js"
import { withMachines } from "../../runtime.js"
import { Refused } from "../../usage.js"

const consequences =
  "What it wrote before stays in the log, and counts. What it writes from now on counts for nothing, and so does what it has not " +
  "pushed yet. Invites that it made end; machines that it let in stay, until each is revoked. It can go on reading for as long as its token is good: change that, too, if the machine is lost."

export const revoke = leaf({
  name: "revoke",
  description: `Takes from a machine the right to write to the log. ${consequences}`,
  examples: ["machine revoke laptop", "machine revoke 7g2k-m0xq --yes"],
  args: {
    name: argument("name", "Its name, id or fingerprint, or the first 4 or more characters of one of these two"),
  },
  options: removing,
  run: (given) =>
    withMachines(given, ({ machines }) =>
      Effect.gen(function* () {
        const row = yield* machineNamed(machines, given.name)
        if (row.status === "revoked") return yield* new Refused({ message: `${row.name} is revoked already` })
        const own = row.here ? " This is the machine that you are on: it could not undo that itself." : ""
        if (!given.yes) yield* explain(`${consequences}${own}`)
        yield* confirmed(
          given.yes,
          `revoke ${row.name} (${row.fingerprint})${row.here ? ", which is this machine" : ""}`,
        )
        return yield* machines.revoke(row.machineId)
      }),
    ),
  said: ({ ended, letIn, name }) =>
    [
      `revoked ${name}: what it writes from now on counts for nothing`,
      ...(ended.length === 0 ? [] : [`${count(ended.length, "open invite")} of it ended`]),
      ...(letIn.length === 0 ? [] : [`it let in ${letIn.join(", ")}: revoke whom you do not know`]),
    ].join("; "),
})
