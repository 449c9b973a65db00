/** `context infra sync rejected [retry|drop <id>|--all]` */
import type { Sync } from "@context-engine/core/services/Sync"
import { isAboutMachines } from "@context-engine/core/services/sync/settling"
import type { RejectionRow } from "@context-engine/core/views/rejections"
import * as Effect from "effect/Effect"
import { explain } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { flag, optionalArgument } from "../../options.js"
import { confirmed } from "../../removal.js"
import { count } from "../../render/units.js"
import { withSync } from "../../runtime.js"
import { Refused, UsageError } from "../../usage.js"

export const rejected = leaf({
  name: "rejected",
  description:
    "Commands that could not stand beside what others did: what was wanted, and why it is refused. " +
    "`retry` gives one again, as it was; `drop` says that it is not wanted any more; with --all all of this " +
    "machine's own that are open, in the order in which they were given, after a question. What another machine could not do is its own " +
    "to settle, or yours one by one; what makes a server local to a machine is given again on that machine only.",
  examples: [
    "sync rejected",
    "sync rejected retry 019ab3f0",
    "sync rejected drop 019ab3f0",
    "sync rejected retry --all --yes",
  ],
  args: {
    what: optionalArgument("retry|drop", "What to do with one"),
    id: optionalArgument("id", "Its id, or the first letters of it"),
  },
  options: {
    all: flag("all", "All open ones of this machine's own commands, instead of one"),
    yes: flag("yes", "With --all: do not ask first"),
  },
  run: ({ all, id, what, ...given }) =>
    withSync(given, (sync) =>
      Effect.gen(function* () {
        if (what === undefined && !all) return yield* sync.rejected
        if ((what !== "retry" && what !== "drop") || (id === undefined) !== all) {
          return yield* new UsageError({
            message: "say retry or drop, and the id of what was rejected, or --all",
            see: "context infra sync rejected --help",
          })
        }
        if (all) return yield* settleAll(sync, what, given.yes)
        // The input was somebody's, once; now it is the state of things that refuses it.
        return [
          yield* Effect.catchTag(sync[what](id as string), "InvalidInput", ({ message }) => new Refused({ message })),
        ]
      }),
    ),
  render: async ({ all, what }) => {
    const { rejections, settled } = await import("../../render/sync.js")
    return all ? settled(what as "retry" | "drop") : rejections
  },
  unwell: (rows, { all, what }) => (what === undefined || all) && rows.some(({ status }) => status === "open"),
})

/** Each of this machine's own that is open, after a look at them; those that cannot stand yet stay so, with the reason of today. */
const settleAll = (sync: Sync["Type"], how: "retry" | "drop", yes: boolean) =>
  Effect.gen(function* () {
    const own = yield* sync.rejectedHere
    // Who may write is decided anew, not given again.
    const open = how === "retry" ? own.filter((row) => !isAboutMachines(row)) : own
    if (open.length === 0) return []
    if (!yes)
      for (const { actor, machine, reason, what } of open) yield* explain(`${what}, by ${actor}@${machine}: ${reason}`)
    const them = count(open.length, "refused command")
    yield* confirmed(
      yes,
      how === "retry" ? `give ${them} of this machine again, as they were` : `let ${them} of this machine go`,
    )
    return yield* Effect.forEach(open, (row) =>
      Effect.catchTag(sync[how](row.id), "InvalidInput", ({ reason }) =>
        Effect.succeed<RejectionRow>({ ...row, reason }),
      ),
    )
  })
