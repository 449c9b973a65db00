/** `context infra secret add <name>` */
import { leaf } from "../../leaf.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf, keyOf, labelOf, name, ownerOptions } from "./fields.js"

export const add = leaf({
  name: "add",
  description: "Registers that there is a secret and where it is kept. Its value is refused: the log never holds one.",
  examples: ["secret add DATABASE_URL --service api --manager vault --path kv/api/database --rotate 90d"],
  args: { name },
  options: { ...ownerOptions, ...fieldOptions },
  run: (given) => withRegistry(given, ({ secrets }) => secrets.add({ ...keyOf(given), ...fieldsOf(given) })),
  said: (row) => `registered ${labelOf(row)}`,
})
