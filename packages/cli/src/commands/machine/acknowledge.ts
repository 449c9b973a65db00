/** `context infra machine acknowledge` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { flag, removing } from "../../options.js"
import { confirmed } from "../../removal.js"
import { count } from "../../render/units.js"
import { withMachines } from "../../runtime.js"
import { errorScreen, say } from "../../terminal.js"

export const acknowledge = leaf({
  name: "acknowledge",
  description:
    "Says, signed by this admin machine, that a person has seen the events of the shared log that count for nothing, and what is wrong " +
    "with running numbers. They stay what they are; alert and audit verify stop naming them. Where another root waits for a word, it is " +
    "refused without --roots. In a log that has no root yet, --roots turns down those that wait, on this machine alone.",
  examples: ["machine acknowledge", "machine acknowledge --yes --json", "machine acknowledge --roots"],
  options: { ...removing, roots: flag("roots", "Roots that wait for a word, too: none of them is the right one") },
  run: (given) =>
    withMachines(given, ({ machines, sync }) =>
      Effect.gen(function* () {
        const { breaks, inert, inertEvents, roots } = yield* sync.status
        const isShown = inert + breaks.length + roots.length > 0
        // A root at a place that was acknowledged is shown no more, and may be in the way all the same.
        if (!isShown && !given.roots) return { acknowledged: 0 }
        // It is refused: a yes would be in vain.
        if (roots.length > 0 && !given.roots) return { acknowledged: yield* machines.acknowledge(false) }
        if (!given.yes && isShown) {
          const { untrusted } = yield* Effect.promise(() => import("../../render/sync.js"))
          yield* say(untrusted({ breaks, inert, inertEvents }, errorScreen()))
        }
        const parts = [
          ...(inert === 0 ? [] : [`${count(inert, "event")} that ${inert === 1 ? "counts" : "count"} for nothing`]),
          ...(breaks.length === 0 ? [] : [`${count(breaks.length, "break")} in running numbers`]),
          ...(roots.length === 0 && isShown ? [] : ["that no root which waits is the right one"]),
        ]
        yield* confirmed(given.yes, `acknowledge ${parts.join(" and ")}`)
        return { acknowledged: yield* machines.acknowledge(given.roots) }
      }),
    ),
  said: ({ acknowledged }) =>
    acknowledged === 0 ? "there is nothing to acknowledge" : `acknowledged ${count(acknowledged, "place")} of the log`,
})
