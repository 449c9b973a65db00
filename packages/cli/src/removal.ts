/** Leaves that take something out of the registry: they ask first, and differ in what they take. */

import type { Recorded } from "@context-engine/core/Event"
import type { Registry } from "@context-engine/core/services/Registry"
import type * as Args from "@effect/cli/Args"
import type * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { type Given, type Leaf, leaf } from "./leaf.js"
import { removing } from "./options.js"
import type { Removed } from "./render/done.js"
import { safe } from "./render/safe.js"
import { withRegistry } from "./runtime.js"
import { confirm, isInteractive } from "./terminal.js"
import { Refused } from "./usage.js"

export const removal = <
  const O extends Readonly<Record<string, Options.Options<any>>>,
  const A extends Readonly<Record<string, Args.Args<any>>>,
>(spec: {
  readonly description: string
  readonly examples: ReadonlyArray<string>
  readonly args: A
  readonly options: O
  /** What is meant, as people call it: `server hetzner`. Fails where there is no such thing, or something stands in the way. */
  readonly meant: (registry: Registry["Type"], given: Given<O & typeof removing, A>) => Effect.Effect<string, unknown>
  readonly remove: (
    registry: Registry["Type"],
    given: Given<O & typeof removing, A>,
  ) => Effect.Effect<ReadonlyArray<Recorded>, unknown>
}): Leaf =>
  leaf({
    name: "remove",
    description: spec.description,
    examples: spec.examples,
    args: spec.args,
    options: { ...spec.options, ...removing },
    run: (given) =>
      withRegistry(given as never, (registry) =>
        Effect.gen(function* () {
          const { cascade, yes } = given as { readonly cascade?: boolean; readonly yes: boolean }
          const what = yield* spec.meant(registry, given as never)
          yield* confirmed(yes, `remove ${what}${cascade ? " and all that hangs on it" : ""}`)
          return gone(what, yield* spec.remove(registry, given as never))
        }),
      ),
    render: async () => (await import("./render/done.js")).removed,
  })

/** Goes on only with a yes: by `--yes`, or from the person in front. `what` is in the imperative: `remove server x`. */
export const confirmed = (yes: boolean, what: string): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    if (yes) return
    const shown = safe(what)
    if (!isInteractive()) {
      return yield* new Refused({ message: `nobody is there to be asked whether to ${shown}`, next: "add --yes" })
    }
    const answer = yield* confirm(`${shown[0]?.toUpperCase()}${shown.slice(1)}?`)
    if (!answer) return yield* new Refused({ message: "nothing was done" })
  })

const gone = (what: string, events: ReadonlyArray<Recorded>): Removed => ({
  what,
  removed: events.map(({ data, type }) => ({ type, name: String((data as { readonly name?: string }).name ?? "") })),
  position: events[events.length - 1]?.position ?? 0,
})
