/** `context infra secret remove <name>` */
import * as Effect from "effect/Effect"
import { removal } from "../../removal.js"
import { keyOf, labelOf, name, ownerOptions } from "./fields.js"

export const remove = removal({
  description: "Removes a secret from the registry. The secret itself stays where it is kept.",
  examples: ["secret remove DATABASE_URL --service api"],
  args: { name },
  options: ownerOptions,
  meant: ({ secrets }, given) => Effect.map(secrets.get(keyOf(given)), labelOf),
  remove: ({ secrets }, given) => secrets.remove(keyOf(given)),
})
