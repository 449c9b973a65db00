/** `context infra route update <domain>` */
import { leaf } from "../../leaf.js"
import { given as present, text, yesNo } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { domain, fieldOptions, fieldsOf, keyOptions, labelOf } from "./fields.js"

export const update = leaf({
  name: "update",
  description: 'Changes a route. What is left out stays as it is; empty text ("") takes a value away.',
  examples: ["route update api.example.com --service api-v2 --rate-limit 100/1m"],
  args: { domain },
  options: {
    ...keyOptions,
    service: text("service", "service", "Lead it to this service"),
    ...fieldOptions,
    auth: yesNo("auth", "Whether requests must be authenticated"),
  },
  run: (given) =>
    withRegistry(given, ({ routes }) =>
      routes.update(given, { ...fieldsOf(given), ...present({ service: given.service }) }),
    ),
  said: (row) => `updated ${labelOf(row)}`,
})
