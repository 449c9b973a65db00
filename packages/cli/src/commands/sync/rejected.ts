/** `context infra sync rejected [retry|drop <id>]` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { optionalArgument } from "../../options.js"
import { withSync } from "../../runtime.js"
import { Refused, UsageError } from "../../usage.js"

export const rejected = leaf({
  name: "rejected",
  description:
    "Commands that could not stand beside what others did: what was wanted, and why it is refused. " +
    "`retry` gives one again, as it was; `drop` says that it is not wanted any more.",
  examples: ["sync rejected", "sync rejected retry 019ab3f0", "sync rejected drop 019ab3f0"],
  args: {
    what: optionalArgument("retry|drop", "What to do with one"),
    id: optionalArgument("id", "Its id, or the first letters of it"),
  },
  run: ({ id, what, ...given }) =>
    withSync(given, (sync) =>
      Effect.gen(function* () {
        if (what === undefined) return yield* sync.rejected
        if ((what !== "retry" && what !== "drop") || id === undefined) {
          return yield* new UsageError({
            message: "say retry or drop, and the id of what was rejected",
            see: "context infra sync rejected --help",
          })
        }
        const done = what === "retry" ? sync.retry(id) : sync.drop(id)
        // The input was somebody's, once; now it is the state of things that refuses it.
        return [yield* Effect.catchTag(done, "InvalidInput", ({ message }) => new Refused({ message }))]
      }),
    ),
  render: async () => (await import("../../render/sync.js")).rejections,
  unwell: (rows, { what }) => what === undefined && rows.some(({ status }) => status === "open"),
})
