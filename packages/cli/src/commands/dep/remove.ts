/** `context infra dep remove <service>` */
import * as Effect from "effect/Effect"
import { removal } from "../../removal.js"
import { keyOf, labelOf, service, targetOptions } from "./fields.js"

export const remove = removal({
  description: "Removes a dependency from the registry.",
  examples: ["dep remove api --on postgres", "dep remove api --external stripe", "dep remove <id>"],
  args: { service },
  options: targetOptions,
  meant: ({ dependencies }, given) => Effect.map(Effect.flatMap(keyOf(given), dependencies.get), labelOf),
  remove: ({ dependencies }, given) => Effect.flatMap(keyOf(given), dependencies.remove),
})
