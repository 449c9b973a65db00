/** Questions about host keys, outside of what has a deadline. */
import * as Effect from "effect/Effect"
import type { RemoteError, StorageError } from "../Errors.js"
import { HostKeyPrompt } from "../Remote.js"
import type { ServerRow } from "../views/servers.js"
import type { Hosts } from "./Hosts.js"

type HostError = RemoteError | StorageError

/**
 * Tries it without asking anybody, and again once the host's key has been accepted: people think longer than a server may
 * take. Nothing was sent to a host whose key is not known, so nothing is done twice.
 */
export const askedBetween = <A>(
  hosts: Hosts["Type"],
  server: ServerRow,
  attempt: Effect.Effect<A, HostError>,
): Effect.Effect<A, HostError> =>
  Effect.flatMap(HostKeyPrompt, (ask) => {
    if (ask === undefined) return attempt
    return Effect.provideService(attempt, HostKeyPrompt, undefined).pipe(
      Effect.catchIf(
        (error) => error._tag === "RemoteError" && error.reason === "host-key-unknown",
        () => Effect.zipRight(hosts.trusted(server), attempt),
      ),
    )
  })
