/** One deadline for all that is asked of a server, connecting included; what it takes a person to answer does not count. */
import * as Effect from "effect/Effect"
import { RemoteError, type StorageError } from "../Errors.js"
import type { ServerRow } from "../views/servers.js"
import { askedBetween } from "./askedBetween.js"
import type { Hosts } from "./Hosts.js"

/** `timeout` is in milliseconds. */
export const inTime = <A>(
  hosts: Hosts["Type"],
  server: ServerRow,
  timeout: number,
  attempt: Effect.Effect<A, RemoteError | StorageError>,
): Effect.Effect<A, RemoteError | StorageError> =>
  askedBetween(
    hosts,
    server,
    attempt.pipe(
      // One that does not even let go of us in time is left behind: it must not hold up the others.
      Effect.disconnect,
      Effect.timeoutFail({ duration: timeout, onTimeout: () => noAnswer(server, timeout) }),
    ),
  )

const noAnswer = (server: ServerRow, timeout: number) =>
  new RemoteError({
    reason: "timeout",
    host: server.name,
    message: `${server.name}: it did not end within ${timeout / 1000} s`,
  })
