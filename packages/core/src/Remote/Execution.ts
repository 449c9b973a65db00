/** Sees one started command to its end: output, status, timeout; whoever is no longer waited for is ended. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { RemoteError } from "../Errors.js"
import type { RemoteCommand, RemoteResult } from "../Remote.js"
import { collect, type Streams } from "./Output.js"

/** A command on its way. Made synchronously, so that there is no moment at which it could be lost. */
export interface Running<E = never> {
  /** The output, once the command has started. */
  readonly streams: Effect.Effect<Streams, RemoteError | E>
  /** The exit status, when the command has ended and its output is complete. */
  readonly status: Effect.Effect<number, RemoteError>
  /** Asks it to end. */
  readonly signal: (name: "TERM" | "KILL") => void
  /** Lets go of it without asking it to end. */
  readonly abandon: () => void
  /** Returns when nothing of it is left. */
  readonly closed: Effect.Effect<void>
}

const defaultTimeout = 60_000

/** How long a command has between TERM and KILL, and after KILL. */
const grace = "1 second"

/** Starts the command and waits for its end. On timeout, failure and interruption it is terminated, then killed. */
export const execute = <E>(
  host: string,
  command: RemoteCommand,
  start: () => Running<E>,
): Effect.Effect<RemoteResult, RemoteError | E> => {
  const timeout = command.timeout ?? defaultTimeout
  return Effect.acquireUseRelease(
    Effect.sync(start),
    (running) =>
      Effect.flatMap(running.streams, (streams) =>
        Effect.all({ output: collect(streams, command), exitCode: running.status }, { concurrency: "unbounded" }),
      ),
    (running, exit) => (Exit.isSuccess(exit) ? Effect.void : letGo(running, command)),
  ).pipe(
    Effect.map(({ output, exitCode }) => ({ exitCode, ...output })),
    Effect.timeoutFail({
      duration: timeout,
      onTimeout: () =>
        new RemoteError({
          reason: "timeout",
          host,
          message: `${host}: the command did not end within ${timeout / 1000} s and was killed (allow it more time, or look at what it waits for)`,
        }),
    }),
  )
}

/** `os.constants.signals` by name to the status that a shell reports. */
export const signalStatus = (signals: Readonly<Record<string, number>>, name: string): number =>
  128 + (signals[name] ?? 0)

const letGo = <E>(running: Running<E>, { detach }: RemoteCommand): Effect.Effect<void> =>
  detach ? Effect.sync(running.abandon) : end(running)

const end = <E>(running: Running<E>): Effect.Effect<void> =>
  endWith(running, "TERM").pipe(
    Effect.flatMap((gone) => (gone ? Effect.void : Effect.asVoid(endWith(running, "KILL")))),
  )

const endWith = <E>(running: Running<E>, signal: "TERM" | "KILL"): Effect.Effect<boolean> =>
  Effect.sync(() => running.signal(signal)).pipe(
    // A finalizer cannot be interrupted, and neither could this wait be cut short without saying so.
    Effect.zipRight(Effect.interruptible(running.closed)),
    Effect.timeoutOption(grace),
    Effect.map((closed) => closed._tag === "Some"),
  )
