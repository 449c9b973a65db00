/** `context infra sync rejected [retry|drop <id>|--all]` */
import type { Sync } from "@context-engine/core/services/Sync"
import type { RejectionRow } from "@context-engine/core/views/rejections"
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { flag, optionalArgument } from "../../options.js"
import { withSync } from "../../runtime.js"
import { Refused, UsageError } from "../../usage.js"

export const rejected = leaf({
  name: "rejected",
  description:
    "Commands that could not stand beside what others did: what was wanted, and why it is refused. " +
    "`retry` gives one again, as it was; `drop` says that it is not wanted any more; with --all all that are open, " +
    "in the order in which they were given.",
  examples: [
    "sync rejected",
    "sync rejected retry 019ab3f0",
    "sync rejected drop 019ab3f0",
    "sync rejected retry --all",
  ],
  args: {
    what: optionalArgument("retry|drop", "What to do with one"),
    id: optionalArgument("id", "Its id, or the first letters of it"),
  },
  options: { all: flag("all", "All that are open, instead of one") },
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
        const settle = (one: string) => (what === "retry" ? sync.retry(one) : sync.drop(one))
        if (all) return yield* settleAll(sync, settle)
        // The input was somebody's, once; now it is the state of things that refuses it.
        return [yield* Effect.catchTag(settle(id as string), "InvalidInput", ({ message }) => new Refused({ message }))]
      }),
    ),
  render: async () => (await import("../../render/sync.js")).rejections,
  unwell: (rows, { all, what }) => (what === undefined || all) && rows.some(({ status }) => status === "open"),
})

/** Each that is open; those that cannot stand yet stay so, with the reason of today. */
const settleAll = (sync: Sync["Type"], settle: (id: string) => ReturnType<Sync["Type"]["retry"]>) =>
  Effect.gen(function* () {
    const open = (yield* sync.rejected).filter(({ status }) => status === "open")
    const given = ({ givenAt, id }: RejectionRow) => `${givenAt} ${id}`
    const inOrder = open.toSorted((a, b) => (given(a) < given(b) ? -1 : 1))
    return yield* Effect.forEach(inOrder, (row) =>
      Effect.catchTag(settle(row.id), "InvalidInput", ({ reason }) => Effect.succeed<RejectionRow>({ ...row, reason })),
    )
  })
