/** Follows a run on its host to its end, through every break of the link. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { DeployLogs } from "../../DeployLogs.js"
import type { RemoteError } from "../../Errors.js"
import type { Followed, HostError, Job, Ledger } from "./host/Ledger.js"
import { Output } from "./output.js"
import type { Run } from "./run.js"

const defaultPatience = 30 * 60_000

/** The wait before the nth try to reach the host again, in milliseconds: soon at first, and never longer than this. */
const pause = (tries: number): number => Math.min(15_000, 250 * 2 ** Math.min(tries, 10))

/** Errors that mean the link is down; any other is an answer. */
const linkIsDown = ({ reason }: RemoteError): boolean =>
  reason === "connection-lost" || reason === "unreachable" || reason === "timeout"

export interface Watched {
  readonly followed: Followed
  readonly output: Output
}

/**
 * Starts the job if there is one, and follows it from its first byte: each byte is passed on once and in order, however
 * often the link breaks. Gives up when the host was out of reach for too long; the run does not.
 */
export const watchRun = (
  ledger: Ledger,
  logs: DeployLogs["Type"],
  run: Run,
  job: Job | undefined,
): Effect.Effect<Watched, HostError> =>
  Effect.gen(function* () {
    const output = new Output(Object.values(job?.given ?? {}).filter((value) => value.length >= 6))
    const write = yield* logs.write(run.id)
    const tell = run.watch.onStep ?? (() => Effect.void)
    let offset = 0
    let lastHeard = yield* Clock.currentTimeMillis
    let tries = 0
    const take = (bytes: Uint8Array) =>
      Effect.gen(function* () {
        offset += bytes.length
        lastHeard = yield* Clock.currentTimeMillis
        if (tries > 0) yield* tell("connected")
        tries = 0
        const text = output.push(bytes)
        if (text !== "") yield* write(text)
        yield* run.watch.onOutput?.({ stream: "stdout", data: bytes }) ?? Effect.void
      }).pipe(Effect.uninterruptible)
    const again = (error: RemoteError): Effect.Effect<Followed, HostError> =>
      Effect.gen(function* () {
        const away = (yield* Clock.currentTimeMillis) - lastHeard
        if (!linkIsDown(error) || away > (run.watch.patience ?? defaultPatience)) return yield* error
        yield* tell("reconnecting", error.message)
        yield* Effect.sleep(pause(tries++))
        return yield* follow
      })
    const follow: Effect.Effect<Followed, HostError> = Effect.suspend(() =>
      ledger.follow(run.at, job, offset, take).pipe(Effect.catchTag("RemoteError", again)),
    )
    const followed = yield* follow
    const rest = output.finish()
    if (rest !== "") yield* write(rest)
    return { followed, output }
  }).pipe(Effect.scoped)
