/** `context infra sync connect <url>` */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { argument, text } from "../../options.js"
import { load } from "../../runtime.js"
import { refused } from "../../syncing.js"
import { isInteractive, progress } from "../../terminal.js"
import { walked } from "../../walk.js"

export const connect = leaf({
  name: "connect",
  description:
    "Keeps the address of the shared log, and its token, in a file that only you can read, and synchronises. " +
    "The token is read from standard input: it never stands on a command line. Where the log is signed, --invite brings the code that " +
    "context infra sync invite printed on a machine of it; without one this machine waits until it is approved there.",
  examples: [
    "sync connect libsql://infra-me.turso.io < token",
    "sync connect libsql://infra-me.turso.io --invite <code>",
    "sync connect http://10.0.0.5:8080 </dev/null",
  ],
  args: { url: argument("url", "libsql://…, https://… or http://…") },
  options: { invite: text("invite", "code", "The code that context infra sync invite printed") },
  run: ({ invite, ...given }) =>
    load(
      () => import("../../runtime/endpoint.js"),
      ({ save }) =>
        Effect.gen(function* () {
          const token = isInteractive() ? yield* asked : readFileSync(0, "utf8").trim()
          yield* save(given.url, token)
          return yield* load(
            () => import("../../runtime/connecting.js"),
            ({ connect }) => progress("synchronising")(connect(given, invite, walked("synchronising"))),
          )
        }),
    ),
  render: async () => (await import("../../render/sync.js")).connected,
  unwell: (done) => ("waiting" in done ? undefined : refused(done)),
})

/** From the person in front, without showing it. */
const asked = Effect.promise(async () => (await import("../../secretInput.js")).readHidden("token (empty for none): "))
