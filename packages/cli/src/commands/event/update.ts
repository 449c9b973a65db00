/** `context infra event update <id>` */
import { leaf } from "../../leaf.js"
import { given as present, text } from "../../options.js"
import { withRegistry } from "../../runtime.js"
import { fieldOptions, fieldsOf, id } from "./fields.js"

export const update = leaf({
  name: "update",
  description: "Changes an entry that a person wrote. What is left out stays as it is.",
  examples: ['event update <id> --severity info --description "it was the disk"'],
  args: { id },
  options: { title: text("title", "text", "What happened, in a few words"), ...fieldOptions },
  run: (given) =>
    withRegistry(given, ({ timeline }) =>
      timeline.update(given.id, { ...present({ title: given.title }), ...fieldsOf(given) }),
    ),
  said: (row) => `updated event ${row.id}`,
})
