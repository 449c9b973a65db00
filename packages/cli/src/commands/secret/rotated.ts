/** `context infra secret rotated <name>` */
import { leaf } from "../../leaf.js"
import { withRegistry } from "../../runtime.js"
import { keyOf, labelOf, name, ownerOptions } from "./fields.js"

export const rotated = leaf({
  name: "rotated",
  description: "Notes that a secret was changed where it is kept, just now.",
  examples: ["secret rotated DATABASE_URL --service api"],
  args: { name },
  options: ownerOptions,
  run: (given) => withRegistry(given, ({ secrets }) => secrets.rotated(keyOf(given))),
  said: (row) =>
    `noted: ${labelOf(row)} was rotated${row.rotationDue === null ? "" : `; due again on ${row.rotationDue.slice(0, 10)}`}`,
})
