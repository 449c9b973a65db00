/** `context infra event remove <id>` */
import { removal } from "../../removal.js"
import { id } from "./fields.js"

export const remove = removal({
  description: "Takes an entry that a person wrote off the timeline. The log keeps it.",
  examples: ["event remove <id>"],
  args: { id },
  options: {},
  label: (given) => `event ${given.id}`,
  check: ({ timeline }, given) => timeline.get(given.id),
  remove: ({ timeline }, given) => timeline.remove(given.id),
})
