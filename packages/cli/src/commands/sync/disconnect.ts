/** `context infra sync disconnect` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { databasePath, logIsThere, syncMode } from "../../runtime/log.js"
import { load, withExchange } from "../../runtime.js"

export const disconnect = leaf({
  name: "disconnect",
  description: "Forgets the shared log and its token. This machine keeps all it has, and works alone.",
  examples: ["sync disconnect"],
  run: (given) =>
    load(
      () => import("../../runtime/endpoint.js"),
      ({ forget, isInEnvironment, kept, save, unwatched }) =>
        Effect.gen(function* () {
          // The address first: a watcher would make contact again.
          const before = yield* kept(given.db)
          if (before === undefined) yield* logIsThere(given.db)
          yield* forget(given.db)
          // Where no file is kept, nothing else is remembered.
          const again = isInEnvironment(given.db)
          if (syncMode() === "remote") return { connected: false, again }
          yield* unwatched(given.db, yield* databasePath(given.db))
          const putBack = before === undefined ? Effect.void : Effect.ignore(save(given.db, before))
          yield* Effect.onError(
            withExchange(given, (sync) => sync.disconnect),
            () => putBack,
          )
          return { connected: false, again }
        }),
    ),
  said: ({ again }) =>
    again
      ? "disconnected; TURSO_URL is still set, and connects again with the next command"
      : "disconnected; this machine works alone",
})
