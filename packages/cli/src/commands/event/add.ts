/** `context infra event add <title>` */
import { leaf } from "../../leaf.js"
import { argument, given as present, text } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf } from "./fields.js"

export const add = leaf({
  name: "add",
  description: "Writes an entry on the timeline.",
  examples: ['event add "api returns 500s" --type incident --severity error --service api'],
  args: { title: argument("title", "What happened, in a few words") },
  options: {
    server: text("server", "server", "The server it concerns"),
    service: text("service", "service", "The service it concerns"),
    ...fieldOptions,
  },
  run: (given) =>
    withRegistry(given, ({ timeline }) =>
      timeline.add({
        title: given.title,
        ...present({ server: given.server, service: given.service }),
        ...fieldsOf(given),
      }),
    ),
  said: (row) => `wrote event ${row.id}`,
})
