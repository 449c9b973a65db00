/** Follows a run on its host to its end, through every break of the link. */
import * as Effect from "effect/Effect"
import type { DeployLogs } from "../../DeployLogs.js"
import { reconnecting } from "../reconnecting.js"
import type { Followed, HostError, Job, Ledger } from "./host/Ledger.js"
import { Output } from "./output.js"
import type { Run } from "./run.js"

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
    const output = new Output(run.hidden)
    const write = yield* logs.write(run.id)
    let offset = 0
    const take = (bytes: Uint8Array) =>
      Effect.gen(function* () {
        offset += bytes.length
        const text = output.push(bytes)
        if (text !== "") yield* write(text)
        yield* run.watch.onOutput?.({ stream: "stdout", data: bytes }) ?? Effect.void
      }).pipe(Effect.uninterruptible)
    const followed = yield* reconnecting(
      (heard) => ledger.follow(run.at, job, offset, (bytes) => Effect.zipRight(heard, take(bytes))),
      {
        patience: run.watch.patience,
        onNews: (news, detail) =>
          run.watch.onStep?.(news === "up" ? "connected" : "reconnecting", detail) ?? Effect.void,
      },
    )
    const rest = output.finish()
    if (rest !== "") yield* write(rest)
    return { followed, output }
  }).pipe(Effect.scoped)
