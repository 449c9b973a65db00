/** `context infra dep add <service>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { flag, given as present } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { checkTarget, fieldOptions, fieldsOf, service, targetOptions } from "./fields.js"

export const add = leaf({
  name: "add",
  description: "Registers that a service needs another one, or something that others run.",
  examples: [
    "dep add api --on postgres --type database --env DATABASE_URL",
    "dep add api --external stripe --type api --optional",
  ],
  args: { service },
  options: { ...targetOptions, ...fieldOptions, optional: flag("optional", "It can do without for a while") },
  run: (given) =>
    Effect.zipRight(
      checkTarget(given),
      withRegistry(given, ({ dependencies }) =>
        dependencies.add({
          service: given.service,
          ...present({ on: given.on, external: given.external }),
          ...fieldsOf({ ...given, required: !given.optional }),
        }),
      ),
    ),
  said: (row) => `${row.service} now depends on ${row.dependsOn}`,
})
