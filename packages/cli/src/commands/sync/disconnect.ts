/** `context infra sync disconnect` */
import * as Effect from "effect/Effect"
import { leaf } from "../../leaf.js"
import { count } from "../../render/units.js"
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
          if (syncMode() === "remote") return { connected: false, again, pending: 0 }
          yield* unwatched(given.db, yield* databasePath(given.db))
          const putBack = before === undefined ? Effect.void : Effect.ignore(save(given.db, before))
          const disconnected = withExchange(given, (sync) =>
            Effect.flatMap(sync.status, ({ pending }) => Effect.as(sync.disconnect, pending)),
          )
          return { connected: false, again, pending: yield* Effect.onError(disconnected, () => putBack) }
        }),
    ),
  said: ({ again, pending }) => [
    again
      ? "disconnected; TURSO_URL is still set, and connects again with the next command"
      : "disconnected; this machine works alone",
    ...(pending === 0
      ? []
      : [
          `${count(pending, "event")} of this machine ${pending === 1 ? "was" : "were"} not pushed: ${pending === 1 ? "it is" : "they are"} in this log alone, until it is connected again`,
        ]),
  ],
})
