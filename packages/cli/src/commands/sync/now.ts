/** `context infra sync now` */
import { leaf } from "../../leaf.js"
import { flag } from "../../options.js"
import { withExchange } from "../../runtime.js"
import { refused } from "../../syncing.js"
import { progress } from "../../terminal.js"
import { walked } from "../../walk.js"

export const now = leaf({
  name: "now",
  description:
    "Pushes what this machine did and pulls what others did, until both logs are the same. " +
    "A command that others' work has made impossible becomes a rejection: it is shown, and nothing is lost.",
  examples: ["sync now", "sync now --json"],
  options: { ifFree: flag("if-free", "Do nothing if another process of this machine is at it already") },
  run: (given) =>
    withExchange(given, (sync) =>
      progress("synchronising")(sync.now({ onProgress: walked("synchronising"), wait: !given.ifFree })),
    ),
  render: async () => (await import("../../render/sync.js")).report,
  unwell: refused,
})
