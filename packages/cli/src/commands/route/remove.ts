/** `context infra route remove <domain>` */
import * as Effect from "effect/Effect"
import { removal } from "../../removal.js"
import { domain, keyOptions, labelOf } from "./fields.js"

export const remove = removal({
  description: "Removes a route from the registry. The domain alone will do while it has only one.",
  examples: ["route remove api.example.com --path /v1"],
  args: { domain },
  options: keyOptions,
  meant: ({ routes }, key) => Effect.map(routes.get(key), labelOf),
  remove: ({ routes }, key) => routes.remove(key),
})
