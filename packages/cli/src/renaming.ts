/** Leaves that give something another name. */
import type { Registry } from "@context-engine/core/services/Registry"
import type * as Effect from "effect/Effect"
import { type Leaf, leaf } from "./leaf.js"
import { argument } from "./options.js"
import { withRegistry } from "./runtime.js"

export const renaming = (
  entity: string,
  example: string,
  part: (registry: Registry["Type"]) => {
    readonly rename: (name: string, to: string) => Effect.Effect<{ readonly name: string }, unknown>
  },
): Leaf =>
  leaf({
    name: "rename",
    description: `Gives a ${entity} another name. Its history stays with it.`,
    examples: [example],
    args: { name: argument("name", `The ${entity}`), to: argument("new", "What to call it from now on") },
    run: (given) => withRegistry(given, (registry) => part(registry).rename(given.name, given.to)),
    said: (row, given) => `renamed ${entity} ${given.name} to ${row.name}`,
  })
