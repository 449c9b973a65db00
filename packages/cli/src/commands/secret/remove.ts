/** `context infra secret remove <name>` */
import { removal } from "../../removal.js"
import { keyOf, labelOf, name, ownerOptions } from "./fields.js"

export const remove = removal({
  description: "Removes a secret from the registry. The secret itself stays where it is kept.",
  examples: ["secret remove DATABASE_URL --service api"],
  args: { name },
  options: ownerOptions,
  label: labelOf,
  check: ({ secrets }, given) => secrets.get(keyOf(given)),
  remove: ({ secrets }, given) => secrets.remove(keyOf(given)),
})
