/** `context infra service update <name>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument, text } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf } from "./fields.js"
import { settingsOf } from "./settings.js"

export const update = leaf({
  name: "update",
  description:
    'Changes what is registered of a service. What is left out stays as it is; empty text ("") takes a value away.',
  examples: ["service update api --port 3001 --health /healthz", "service update api --server node1"],
  args: { name: argument("name", "The service: api, or myserver/api") },
  options: { server: text("server", "server", "Move it to this server"), ...fieldOptions },
  run: (given) =>
    withRegistry(given, ({ services }) =>
      Effect.flatMap(services.get(given.name), ({ deploySettings }) =>
        services.update(given.name, {
          ...fieldsOf(given),
          ...settingsOf(given, deploySettings),
          ...(given.server === undefined ? {} : { server: given.server }),
        }),
      ),
    ),
  said: (row) => `updated service ${row.server}/${row.name}`,
})
