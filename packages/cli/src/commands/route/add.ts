/** `context infra route add <domain>` */
import { leaf } from "../../leaf.js"
import { flag, given as present, required } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { domain, fieldOptions, fieldsOf, keyOptions, labelOf } from "./fields.js"

export const add = leaf({
  name: "add",
  description: "Registers a route: a domain and path that lead to a service.",
  examples: ["route add api.example.com --service api --ssl letsencrypt"],
  args: { domain },
  options: {
    service: required("service", "service", "The service it leads to"),
    ...keyOptions,
    ...fieldOptions,
    auth: flag("auth", "Requests must be authenticated"),
  },
  run: (given) =>
    withRegistry(given, ({ routes }) =>
      routes.add({
        domain: given.domain,
        service: given.service,
        ...present({ path: given.path, method: given.method }),
        ...fieldsOf(given),
      }),
    ),
  said: (row) => `added ${labelOf(row)}, to ${row.server}/${row.service}`,
})
