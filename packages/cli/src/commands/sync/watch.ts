/** `context infra sync watch` */
import type { News } from "@context-engine/store/sync/watch"
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { text } from "../../options.js"
import { needsFile } from "../../runtime/log.js"
import { load } from "../../runtime.js"
import { millis } from "../../since.js"
import { print, screen } from "../../terminal.js"
import { UsageError } from "../../usage.js"

export const watch = leaf({
  name: "watch",
  description:
    "Keeps this machine's log and the shared one together until it is stopped: pushes at once what any command here appends, " +
    "and asks for others' work every few seconds. While the link is away it tries again, ever more rarely. One process of a " +
    "machine does it at a time; another one waits for its turn. `context infra serve` does it by itself.",
  examples: ["sync watch", "sync watch --every 1m", "sync watch --json"],
  options: {
    every: text("every", "span", "How often to ask for others' work (default: 10s)"),
    idle: text(
      "idle",
      "span",
      "End when nothing was appended here for so long, and at once if another process watches",
    ),
  },
  run: (given) =>
    Effect.gen(function* () {
      yield* needsFile("keep together with the shared log")
      const every = (yield* millis("--every", given.every, "sync watch")) ?? 10_000
      if (every < 1_000) {
        const message = `--every must be a second or more, not ${JSON.stringify(given.every)}`
        return yield* new UsageError({ message, see: "context infra sync watch --help" })
      }
      const idle = yield* millis("--idle", given.idle, "sync watch")
      const { asJson, asText } = yield* Effect.promise(() => import("../../render/watching.js"))
      const tell = (news: News) => {
        const at = new Date().toISOString()
        return print(given.json ? asJson(at, news) : asText(screen(), at, news))
      }
      return yield* load(
        () => import("../../runtime/watching.js"),
        (door) => door.watch(given, { every, idle, tell }),
      )
    }),
})
