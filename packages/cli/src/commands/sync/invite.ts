/** `context infra sync invite [withdraw <id>]` */
import * as Effect from "effect/Effect"
import { asAdmin, roleOf } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { integer, optionalArgument, text } from "../../options.js"
import { withMachines } from "../../runtime.js"
import { millis } from "../../since.js"
import { UsageError } from "../../usage.js"

export const invite = leaf({
  name: "invite",
  description:
    "Makes a code that enrols another machine, and prints it once. There: context infra sync connect <url> --invite <code>. It is good " +
    "for one machine and a quarter of an hour, unless --uses and --expires say otherwise. `withdraw` ends one, by its id.",
  examples: ["sync invite", "sync invite --uses 100 --expires 90d --json", "sync invite withdraw 3f2a90c1"],
  args: {
    what: optionalArgument("withdraw", "End an invite, instead of making one"),
    id: optionalArgument("id", "Its id, or the first letters of it, as machine list shows it"),
  },
  options: {
    ...asAdmin,
    uses: integer("uses", "How many machines may come by it (default: 1)"),
    expires: text("expires", "span", "How long it is good (default: 15m)"),
  },
  run: ({ id, what, ...given }) =>
    Effect.gen(function* () {
      if ((what !== undefined && what !== "withdraw") || (what === undefined) !== (id === undefined)) {
        const message = "say withdraw and the id of an invite, or nothing to make one"
        return yield* new UsageError({ message, see: "context infra sync invite --help" })
      }
      if (id !== undefined)
        return yield* withMachines(given, ({ machines }) => Effect.as(machines.withdraw(id), { withdrawn: id }))
      const good = (yield* millis("--expires", given.expires, "sync invite")) ?? 900_000
      return yield* withMachines(given, ({ machines, sync }) =>
        Effect.gen(function* () {
          const { remote, skew: known } = yield* sync.status
          const skew = known ?? 0
          // By the clock of the shared log, which the newcomer goes by, too.
          const expiresAt = new Date(Date.now() + skew + good).toISOString()
          const made = yield* machines.invite({ role: roleOf(given), uses: given.uses ?? 1, expiresAt })
          return { ...made, remote, skew }
        }),
      )
    }),
  render: async () => (await import("../../render/machines.js")).invited,
})
