/** Remote for this machine: child processes and loopback, no SSH. */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { constants } from "node:os"
import type { Readable, Writable } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import { RemoteError } from "../Errors.js"
import { Remote, type RemoteCommand, type RemoteRequest, type Target } from "../Remote.js"
import * as CommandLine from "./CommandLine.js"
import { execute, type Running, signalStatus } from "./Execution.js"
import { home } from "./Home.js"
import { httpGet, within } from "./HttpGet.js"
import { clean } from "./Text.js"

const run = Effect.fn("Remote.run")(function* (target: Target, command: RemoteCommand) {
  yield* onlyLocal(target)
  yield* CommandLine.check(target.name, command)
  return yield* execute(target.name, command, () => start(target.name, command))
})

const get = Effect.fn("Remote.get")(function* (target: Target, request: RemoteRequest) {
  yield* onlyLocal(target)
  return yield* httpGet(target.name, request).pipe(within(target.name, request))
})

/** Remote for `Local` targets. Commands begin in the home directory and have this process's environment. */
export const make: Remote["Type"] = {
  run,
  get,
  unknownHostKey: (target) => Effect.as(onlyLocal(target), undefined),
}

/** Provides Remote for `Local` targets only; an `Ssh` target is `refused`. */
export const layer: Layer.Layer<Remote> = Layer.succeed(Remote, make)

const onlyLocal = (target: Target): Effect.Effect<void, RemoteError> =>
  target._tag === "Local"
    ? Effect.void
    : Effect.fail(
        new RemoteError({
          reason: "refused",
          host: target.name,
          message: `${target.name} is reached by SSH, and only this machine can be used here`,
        }),
      )

type Child = ChildProcessByStdio<Writable | null, Readable, Readable>

const start = (host: string, command: RemoteCommand): Running => {
  const status = Deferred.unsafeMake<number, RemoteError>(FiberId.none)
  const closed = Deferred.unsafeMake<void>(FiberId.none)
  const finish = (outcome: Effect.Effect<number, RemoteError>) => {
    Deferred.unsafeDone(status, outcome)
    Deferred.unsafeDone(closed, Effect.void)
  }
  const child = launch(command)
  if (child instanceof Error) {
    finish(Effect.fail(notStarted(host, child)))
    return {
      streams: Effect.fail(notStarted(host, child)),
      status: Deferred.await(status),
      signal: () => {},
      abandon: () => {},
      closed: Deferred.await(closed),
    }
  }
  child.once("error", (error) => finish(Effect.fail(notStarted(host, error))))
  child.once("close", (code, signal) => finish(Effect.succeed(code ?? signalStatus(constants.signals, signal ?? ""))))
  let over = false
  child.once("close", () => {
    over = true
  })
  return {
    streams: Effect.succeed(child),
    status: Deferred.await(status),
    // Once it is over, the number of the group may be someone else's.
    signal: (name) => (over ? undefined : signalGroup(child, `SIG${name}`)),
    abandon: () => {
      child.stdout.destroy()
      child.stderr.destroy()
      child.unref()
    },
    closed: Deferred.await(closed),
  }
}

/** `detached` gives the command a process group of its own, so that its children can be ended with it. */
const launch = (command: RemoteCommand): Child | Error => {
  try {
    const { input } = command
    const child = spawn("/bin/sh", ["-c", CommandLine.posixLine(command)], {
      cwd: existsSync(home()) ? home() : "/",
      detached: true,
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    }) as Child
    // One that ends without having read it is no error.
    child.stdin?.on("error", () => {}).write(input)
    return child
  } catch (error) {
    return error as Error
  }
}

const signalGroup = (child: Child, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // Nobody is left in the group.
  }
}

const notStarted = (host: string, cause: Error): RemoteError => {
  const tooLong = (cause as NodeJS.ErrnoException).code === "E2BIG"
  return new RemoteError({
    reason: "refused",
    host,
    message: tooLong
      ? `${host}: the command with its arguments is too long for the system (pass less, or by a file)`
      : `${host}: the command could not be started: ${clean(cause.message)}`,
    cause,
  })
}
