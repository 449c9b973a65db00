/** `context infra server update <name>` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument, yesNo } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf } from "./fields.js"

export const update = leaf({
  name: "update",
  description:
    'Changes what is registered of a server. What is left out stays as it is; empty text ("") takes a value away.',
  examples: ["server update myserver --role production --tag docker", 'server update myserver --notes ""'],
  args: { name: argument("name", "The server") },
  options: { ...fieldOptions, local: yesNo("local", "Whether it is this very machine: no SSH") },
  run: (given) =>
    withRegistry(given, ({ servers }) =>
      Effect.flatMap(servers.get(given.name), (current) =>
        servers.update(given.name, {
          ...fieldsOf(given, current),
          ...(given.local === undefined ? {} : { local: given.local }),
        }),
      ),
    ),
  said: ({ name }) => `updated server ${name}`,
})
