/** `context infra dep update <service>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { yesNo } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf, keyOf, service, targetOptions } from "./fields.js"

export const update = leaf({
  name: "update",
  description: 'Changes a dependency. What is left out stays as it is; empty text ("") takes a value away.',
  examples: ["dep update api --on postgres --required no"],
  args: { service },
  options: { ...targetOptions, ...fieldOptions, required: yesNo("required", "Whether it cannot do without") },
  run: (given) =>
    Effect.flatMap(keyOf(given), (key) =>
      withRegistry(given, ({ dependencies }) => dependencies.update(key, fieldsOf(given))),
    ),
  said: (row) => `updated dependency ${row.service} → ${row.dependsOn}`,
})
