/** `context infra event remove <id>` */
import * as Effect from "effect/Effect"
import { removal } from "../../removal.js"
import { id } from "./fields.js"

export const remove = removal({
  description: "Takes an entry that a person wrote off the timeline. The log keeps it.",
  examples: ["event remove <id>"],
  args: { id },
  options: {},
  meant: ({ timeline }, given) => Effect.map(timeline.get(given.id), ({ id }) => `event ${id}`),
  remove: ({ timeline }, given) => timeline.remove(given.id),
})
