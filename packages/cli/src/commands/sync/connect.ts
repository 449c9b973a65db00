/** `context infra sync connect <url>` */
import { readFileSync } from "node:fs"
import { plain } from "@context-engine/store/setting"
import * as Effect from "effect/Effect"
import { agreed, onCopy } from "../../joining.js"
import { leaf } from "../../leaf.js"
import { argument, flag, removing, text } from "../../options.js"
import type { Connecting } from "../../runtime/connecting.js"
import { load } from "../../runtime.js"
import { refused, refusedOf } from "../../syncing.js"
import { isInteractive, progress } from "../../terminal.js"
import { Refused } from "../../usage.js"
import { walked } from "../../walk.js"

export const connect = leaf({
  name: "connect",
  description:
    "Keeps the address of the shared log of this file, and its token, where only you can read it, and synchronises. " +
    "The token is read from standard input: it never stands on a command line. Where both logs have a history, both are shown " +
    "and it is asked whether to put this one after the other. If it fails, the address that was kept before stays. Where the log is " +
    "signed, --invite brings the code that context infra sync invite printed; without one this machine waits to be approved.",
  examples: [
    "sync connect libsql://infra-me.turso.io < token",
    "sync connect libsql://infra-me.turso.io --invite <code> < token",
    "sync connect http://localhost:8080 </dev/null",
    "sync connect http://10.0.0.5:8080 --insecure < token",
  ],
  args: { url: argument("url", "libsql://…, https://… or http://…") },
  options: {
    invite: text("invite", "code", "The code that context infra sync invite printed"),
    yes: removing.yes,
    insecure: flag("insecure", "Send the token unencrypted, over http:// to another host"),
  },
  run: (given) =>
    Effect.gen(function* () {
      if (given.invite?.trim() === "") return yield* new Refused({ message: "--invite is empty", next: noInvite })
      const { endpointOf } = yield* Effect.promise(() => import("@context-engine/store/sync/endpoint"))
      const token = isInteractive() ? yield* asked : plain(readFileSync(0, "utf8"))
      const endpoint = yield* endpointOf("url", given.url, token, given)
      const decide: Connecting["decide"] = (met, moving) => agreed(given.yes, met, moving)
      const how = {
        decide,
        onProgress: walked("synchronising"),
        wait: true,
        onCopy,
        ...(given.invite && { invite: plain(given.invite) }),
      }
      return yield* load(
        () => import("../../runtime/connecting.js"),
        (door) => progress("synchronising")(door.connect(given, endpoint, how)),
      )
    }),
  render: async () => (await import("../../render/sync.js")).connected,
  unwell: (done) => ("waiting" in done ? refusedOf(done.rejected) : refused(done)),
})

const noInvite = "give the code that context infra sync invite printed, or leave --invite out and wait to be approved"

/** From the person in front, without showing it. */
const asked = Effect.promise(async () =>
  plain(await (await import("../../secretInput.js")).readHidden("token (empty for none): ")),
)
