/** Goes on after every break of the link, for as long as one has patience. */
import * as Effect from "effect/Effect"
import type { RemoteError } from "../Errors.js"

const defaultPatience = 30 * 60_000

/** The wait before the nth try, in milliseconds: soon at first. */
const pause = (tries: number): number => Math.min(15_000, 250 * 2 ** Math.min(tries, 10))

const linkIsDown = ({ reason }: RemoteError): boolean =>
  reason === "connection-lost" || reason === "unreachable" || reason === "timeout"

export interface Link {
  /** The link went down, or is up again. */
  readonly onNews?: ((news: "down" | "up", detail?: string) => Effect.Effect<void>) | undefined
  /** Milliseconds to go on trying. Default 30 minutes. */
  readonly patience?: number | undefined
}

/** Runs `once` until it ends by itself. It is given what to call for each sign of life. */
export const reconnecting = <A, E>(
  once: (heard: Effect.Effect<void>) => Effect.Effect<A, E | RemoteError>,
  { onNews = () => Effect.void, patience = defaultPatience }: Link,
): Effect.Effect<A, E | RemoteError> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    let lastHeard = clock.unsafeCurrentTimeMillis()
    let tries = 0
    // For every piece of output: it must cost next to nothing.
    const heard = Effect.suspend(() => {
      lastHeard = clock.unsafeCurrentTimeMillis()
      if (tries === 0) return Effect.void
      tries = 0
      return onNews("up")
    })
    const attempt: Effect.Effect<A, E | RemoteError> = Effect.suspend(() => once(heard)).pipe(
      Effect.catchIf(
        (error): error is RemoteError => isRemote(error) && linkIsDown(error),
        (error) =>
          Effect.gen(function* () {
            if (clock.unsafeCurrentTimeMillis() - lastHeard > patience) return yield* Effect.fail(error)
            if (tries === 0) yield* onNews("down", error.message)
            yield* Effect.sleep(pause(tries++))
            return yield* attempt
          }),
      ),
    )
    return yield* attempt
  })

const isRemote = (error: unknown): error is RemoteError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RemoteError"
