/** Runs one command line in a session channel of a connection. */
import { constants } from "node:os"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type { ClientChannel } from "ssh2"
import { RemoteError } from "../../Errors.js"
import { type Running, signalStatus } from "../Execution.js"
import type { Streams } from "../Output.js"
import { clean } from "../Text.js"
import { lost } from "./Failures.js"
import { attempt } from "./Forward.js"
import type { Connection } from "./Handshake.js"

/** No session was opened, so the command has certainly not begun: it may be tried again. */
export class NotBegun extends Data.TaggedError("NotBegun")<{
  /** `lost`: the connection was of no use any more. `busy`: the server has no session to spare while others are open. */
  readonly why: "lost" | "busy"
  readonly error: RemoteError
}> {}

/** Starts a command line. `others` tells whether further sessions are open on the connection. */
export const start = (connection: Connection, line: string, others: () => boolean): Running<NotBegun> => {
  const streams = Deferred.unsafeMake<Streams, RemoteError | NotBegun>(FiberId.none)
  const status = Deferred.unsafeMake<number, RemoteError>(FiberId.none)
  const closed = Deferred.unsafeMake<void>(FiberId.none)
  let channel: ClientChannel | undefined
  let wanted: "TERM" | "KILL" | undefined
  const fail = (error: Error) => {
    Deferred.unsafeDone(streams, Effect.fail(notOpened(connection, error, others())))
    Deferred.unsafeDone(closed, Effect.void)
  }
  const onOpen = (error: Error | undefined, opened: ClientChannel) => {
    if (error) return fail(error)
    channel = opened
    watch(connection, channel, (outcome) => {
      Deferred.unsafeDone(status, outcome)
      Deferred.unsafeDone(closed, Effect.void)
    })
    if (wanted !== undefined) quit(channel, wanted)
    Deferred.unsafeDone(streams, Effect.succeed({ stdout: opened, stderr: opened.stderr }))
  }
  attempt(() => connection.client.exec(line, onOpen), fail)
  return {
    streams: Effect.raceFirst(Deferred.await(streams), Deferred.await(connection.lost)),
    status: Effect.raceFirst(Deferred.await(status), Deferred.await(connection.lost)),
    signal: (name) => {
      wanted = name
      if (channel !== undefined) quit(channel, name)
    },
    closed: Effect.raceFirst(Deferred.await(closed), Effect.ignore(Deferred.await(connection.lost))),
  }
}

const quit = (channel: ClientChannel, signal: "TERM" | "KILL"): void => {
  attempt(() => {
    channel.signal(signal)
    if (signal === "KILL") channel.close()
  }, () => {})
}

/** The status comes before the last output, so it counts only once the channel is closed. */
const watch = (
  connection: Connection,
  channel: ClientChannel,
  finish: (outcome: Effect.Effect<number, RemoteError>) => void,
): void => {
  let status: number | undefined
  channel.on("exit", (code: number | null, signal?: string) => {
    status = code ?? signalStatus(constants.signals, signal ?? "")
  })
  channel.on("close", () => finish(status === undefined ? Effect.fail(lost(connection.hop)) : Effect.succeed(status)))
  channel.on("error", () => {})
  channel.stderr.on("error", () => {})
}

const notOpened = (connection: Connection, error: Error, others: boolean): RemoteError | NotBegun => {
  const { address } = connection.hop
  const refusal = new RemoteError({
    reason: "refused",
    host: address,
    message: `${address} does not run commands for this login: ${clean(error.message)} (check MaxSessions and ForceCommand in its sshd_config)`,
    cause: error,
  })
  // What ssh2 says when the request to run was sent and not granted: no word on whether the command has begun.
  if (error.message === "Unable to exec") return connection.isLost() ? lost(connection.hop, error) : refusal
  // A failed opening has a reason (RFC 4254, 5.1); without one, the connection failed.
  if (!("reason" in error)) return new NotBegun({ why: "lost", error: lost(connection.hop, error) })
  return others ? new NotBegun({ why: "busy", error: refusal }) : refusal
}
