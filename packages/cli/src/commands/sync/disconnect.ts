/** `context infra sync disconnect` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { syncMode } from "../../runtime/log.js"
import { load, withSync } from "../../runtime.js"

export const disconnect = leaf({
  name: "disconnect",
  description: "Forgets the shared log and its token. This machine keeps all it has, and works alone.",
  examples: ["sync disconnect"],
  run: (given) =>
    load(
      () => import("../../runtime/endpoint.js"),
      ({ forget }) =>
        // The address first: a watcher would make contact again.
        Effect.zipRight(
          forget,
          // Where no file is kept, nothing else is remembered.
          Effect.as(syncMode() === "remote" ? Effect.void : withSync(given, (sync) => sync.disconnect), {
            connected: false,
          }),
        ),
    ),
  said: () =>
    process.env.TURSO_URL
      ? "disconnected; TURSO_URL is still set, and connects again with the next command"
      : "disconnected; this machine works alone",
})
