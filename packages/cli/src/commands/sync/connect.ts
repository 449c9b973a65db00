/** `context infra sync connect <url>` */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument } from "../../options.js"
import { load, withSync } from "../../runtime.js"
import { refused } from "../../syncing.js"
import { isInteractive, progress } from "../../terminal.js"
import { walked } from "../../walk.js"

export const connect = leaf({
  name: "connect",
  description:
    "Keeps the address of the shared log, and its token, in a file that only you can read, and synchronises. " +
    "The token is read from standard input: it never stands on a command line.",
  examples: ["sync connect libsql://infra-me.turso.io < token", "sync connect http://10.0.0.5:8080 </dev/null"],
  args: { url: argument("url", "libsql://…, https://… or http://…") },
  run: (given) =>
    load(
      () => import("../../runtime/endpoint.js"),
      ({ save }) =>
        Effect.gen(function* () {
          const token = isInteractive() ? yield* asked : readFileSync(0, "utf8").trim()
          yield* save(given.url, token)
          return yield* withSync(given, (sync) =>
            progress("synchronising")(sync.now({ onProgress: walked("synchronising"), wait: true })),
          )
        }),
    ),
  render: async () => (await import("../../render/sync.js")).report,
  unwell: refused,
})

/** From the person in front, without showing it. */
const asked = Effect.promise(async () => (await import("../../secretInput.js")).readHidden("token (empty for none): "))
