/** `context infra machine root` */
import * as Effect from "effect/Effect"
import { explain } from "../../enrolling.js"
import { leaf } from "../../leaf.js"
import { flag, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { needsFile } from "../../runtime/log.js"
import { withMachines } from "../../runtime.js"

export const root = leaf({
  name: "root",
  description:
    "Makes this machine the root of a log that has none yet, or whose keys are all lost: it says from now on who may write. All that the " +
    "log has until here is accepted as it is. Every other machine asks its person once whether this root is the right one.",
  examples: ["machine root", "machine root --only-this"],
  options: { onlyThis: flag("only-this", "Enrol no other machine beside it"), yes: removing.yes },
  run: (given) =>
    Effect.zipRight(
      needsFile("begin a root on"),
      withMachines(given, ({ machines }) =>
        Effect.gen(function* () {
          const others = given.onlyThis ? [] : yield* machines.rootPlan
          const named = others.map(({ fingerprint, name }) => `${name} (${fingerprint})`)
          if (!given.yes && named.length > 0)
            yield* explain(
              `Enrolled beside this machine: ${named.join(", ")}. Is one of them not yours, or lost, then say no, and --only-this.`,
            )
          const beside = named.length === 0 ? "and no other machine" : `with ${named.length} beside it`
          yield* confirmed(given.yes, `make this machine the root of the log, ${beside}`)
          const row = yield* machines.beginRoot(!given.onlyThis)
          return { ...row, beside: others }
        }),
      ),
    ),
  said: ({ beside, fingerprint, name }) =>
    `${name} (${fingerprint}) is the root of the log${beside.length === 0 ? "" : `, and beside it are enrolled ${beside.map((one) => one.name).join(", ")}`}; ` +
    `on every other machine: context infra machine trust ${fingerprint}`,
})
