/** `context infra secret update <name>` */
import { leaf } from "../../leaf.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf, keyOf, labelOf, name, ownerOptions } from "./fields.js"

export const update = leaf({
  name: "update",
  description:
    'Changes what is registered of a secret. What is left out stays as it is; empty text ("") takes a value away.',
  examples: ["secret update DATABASE_URL --service api --rotate 30d"],
  args: { name },
  options: { ...ownerOptions, ...fieldOptions },
  run: (given) => withRegistry(given, ({ secrets }) => secrets.update(keyOf(given), fieldsOf(given))),
  said: (row) => `updated ${labelOf(row)}`,
})
