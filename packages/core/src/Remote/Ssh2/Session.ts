/** Runs one command line in a session channel of a connection. */
import { randomBytes } from "node:crypto"
import { constants } from "node:os"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Schedule from "effect/Schedule"
import type { ClientChannel } from "ssh2"
import { RemoteError } from "../../Errors.js"
import type { RemoteCommand, RemoteResult } from "../../Remote.js"
import * as CommandLine from "../CommandLine.js"
import { execute, type Running, signalStatus } from "../Execution.js"
import type { Streams } from "../Output.js"
import { clean } from "../Text.js"
import { lost } from "./Failures.js"
import { attempt } from "./Forward.js"
import type { Connection } from "./Handshake.js"
import { awaitBegin } from "./Preamble.js"

/** No session was opened, so the command has certainly not begun: it may be tried again. */
export class NotBegun extends Data.TaggedError("NotBegun")<{
  /** `lost`: the connection was of no use any more. `busy`: the server has no session to spare while others are open. */
  readonly why: "lost" | "busy"
  readonly error: RemoteError
}> {}

/** The connection turned out to be dead: it is given up, so that the next use opens another. */
export const notBegun = (connection: Connection, error: Error): NotBegun => {
  connection.drop(error)
  return new NotBegun({ why: "lost", error: lost(connection.hop, error) })
}

/** Runs a command when the connection has a session for it. Waiting for one is not part of the command's time. */
export const run = (
  connection: Connection,
  host: string,
  command: RemoteCommand,
): Effect.Effect<RemoteResult, RemoteError | NotBegun> => {
  const token = randomBytes(16).toString("hex")
  const line = CommandLine.loginLine(command, token)
  if (Buffer.byteLength(line) >= longestLine) return Effect.fail(tooLong(host))
  return execute(host, command, () => start(connection, line, token, command.input)).pipe(
    // The server allows fewer sessions than we thought: wait until one of ours ends.
    Effect.retry({
      while: (error) => error._tag === "NotBegun" && error.why === "busy",
      schedule: Schedule.spaced("100 millis"),
    }),
    connection.sessions.limit.withPermits(1),
  )
}

/** Linux takes no longer single argument (MAX_ARG_STRLEN), and the whole line is one for the login shell. */
const longestLine = 128 * 1024

const tooLong = (host: string): RemoteError =>
  new RemoteError({
    reason: "refused",
    host,
    message: `${host}: the command with its arguments is too long for one command line (pass less, or by a file)`,
  })

/** What is known of a command on the other side. */
interface Process {
  readonly connection: Connection
  channel: ClientChannel | undefined
  pid: number | undefined
  /** The signal to be sent as soon as there is a process. */
  wanted: "TERM" | "KILL" | undefined
  /** Nobody waits for it any more, and it is not to be ended. */
  left: boolean
  readonly streams: Deferred.Deferred<Streams, RemoteError | NotBegun>
  readonly status: Deferred.Deferred<number, RemoteError>
  readonly closed: Deferred.Deferred<void>
}

const start = (connection: Connection, line: string, token: string, input: string | undefined): Running<NotBegun> => {
  const process: Process = {
    connection,
    channel: undefined,
    pid: undefined,
    wanted: undefined,
    left: false,
    streams: Deferred.unsafeMake(FiberId.none),
    status: Deferred.unsafeMake(FiberId.none),
    closed: Deferred.unsafeMake(FiberId.none),
  }
  const { streams, status, closed } = process
  connection.sessions.live.add(process)
  const onOpen = (error: Error | undefined, channel: ClientChannel) =>
    error ? notOpened(process, error) : opened(process, channel, token, input)
  attempt(
    () => connection.client.exec(line, onOpen),
    (error) => notOpened(process, error),
  )
  // Whether the session had been opened is known to ssh2 only, which says so when the socket is closed.
  const onLost = (error: RemoteError) =>
    process.channel === undefined
      ? Effect.timeoutFail(Deferred.await(streams), { duration: "1 second", onTimeout: () => error })
      : Effect.fail(error)
  return {
    streams: whichever(Deferred.await(streams), Effect.catchAll(Deferred.await(connection.lost), onLost)).pipe(
      Effect.timeoutFail({ duration: connection.sessions.beginTimeout, onTimeout: () => notBegunInTime(connection) }),
    ),
    status: whichever(Deferred.await(status), Deferred.await(connection.lost)),
    signal: (name) => quit(process, name),
    abandon: () => leave(process),
    closed: whichever(Deferred.await(closed), Effect.ignore(Deferred.await(connection.lost))),
  }
}

/** The first of two to come, also where nothing can be interrupted: there, a race would wait for both. */
const whichever = <A, E, B, F>(one: Effect.Effect<A, E>, other: Effect.Effect<B, F>): Effect.Effect<A | B, E | F> =>
  Effect.raceFirst(Effect.interruptible(one), Effect.interruptible(other))

/** How long, in milliseconds, a server may count a session that is closed. */
const lingering = 10_000

const notOpened = (process: Process, error: Error): void => {
  const { live, lastClosed } = process.connection.sessions
  // The server answers in order: what is older than this has been opened, and it may be what takes up the room. So may what was
  // closed a moment ago: sshd counts a session until it has noticed that its process is gone.
  const [oldest] = live
  live.delete(process)
  const others = oldest !== process || performance.now() - lastClosed < lingering
  Deferred.unsafeDone(process.streams, Effect.fail(whyNotOpened(process.connection, error, others)))
  Deferred.unsafeDone(process.closed, Effect.void)
}

const opened = (process: Process, channel: ClientChannel, token: string, input: string | undefined): void => {
  const { connection, streams, status, closed } = process
  process.channel = channel
  watch(connection, channel, (outcome) => {
    isClosed(connection, process)
    Deferred.unsafeDone(status, outcome)
    Deferred.unsafeDone(closed, Effect.void)
  })
  const onBegin = (pid: number) => {
    process.pid = pid
    if (input !== undefined) channel.write(input)
    if (process.left) return leave(process)
    if (process.wanted !== undefined) quit(process, process.wanted)
    Deferred.unsafeDone(streams, Effect.succeed({ stdout: channel, stderr: channel.stderr }))
  }
  const onNone = (said: string) => {
    channel.close()
    Deferred.unsafeDone(streams, Effect.fail(connection.isLost() ? lost(connection.hop) : notRun(connection, said)))
  }
  awaitBegin(channel, token, onBegin, onNone)
}

/**
 * Signals by the channel, and by a `kill` in a session of its own: OpenSSH delivers no signals to sessions of root
 * (session.c: "session signalling requires privilege separation").
 */
const quit = (process: Process, signal: "TERM" | "KILL"): void => {
  const { connection, channel, pid } = process
  process.wanted = signal
  if (channel === undefined) return
  // It has not begun, and may never.
  if (pid === undefined) {
    if (signal === "KILL") attempt(() => channel.close(), ignore)
    return
  }
  // Nobody reads it any more, and a channel is closed only when it has been read to its end.
  channel.resume()
  channel.stderr.resume()
  const killing = {}
  connection.sessions.live.add(killing)
  const done = () => {
    isClosed(connection, killing)
    if (signal === "KILL") attempt(() => channel.close(), ignore)
  }
  const onOpen = (error: Error | undefined, killer: ClientChannel) => {
    if (error) return done()
    killer.on("error", ignore).on("close", done).resume()
    killer.stderr.on("error", ignore).resume()
  }
  attempt(() => channel.signal(signal), ignore)
  attempt(() => connection.client.exec(CommandLine.killLine(pid, signal), onOpen), done)
}

const isClosed = ({ sessions }: Connection, session: object): void => {
  sessions.live.delete(session)
  sessions.lastClosed = performance.now()
}

/** Closes the channel, and only that. One that has not begun yet begins first: it may hold what must be done. */
const leave = (process: Process): void => {
  const { channel, pid } = process
  process.left = true
  if (channel === undefined || pid === undefined) return
  channel.resume()
  channel.stderr.resume()
  attempt(() => channel.close(), ignore)
}

const ignore = (): void => {}

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
  channel.on("error", ignore)
  channel.stderr.on("error", ignore)
}

const whyNotOpened = (connection: Connection, error: Error, others: boolean): RemoteError | NotBegun => {
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
  if (!("reason" in error)) return notBegun(connection, error)
  return others ? new NotBegun({ why: "busy", error: refusal }) : refusal
}

const notBegunInTime = ({ hop, sessions }: Connection): RemoteError =>
  new RemoteError({
    reason: "timeout",
    host: hop.address,
    message: `${hop.address} let the login in, but did not begin the command within ${sessions.beginTimeout / 1000} s (look at what its start-up files or ForceCommand wait for)`,
  })

/** The session was opened, but the command's own first word never came. */
const notRun = (connection: Connection, said: string): RemoteError =>
  new RemoteError({
    reason: "refused",
    host: connection.hop.address,
    message: `${connection.hop.address} did not run the command; the login said: ${clean(said) || "nothing"} (does ${clean(connection.hop.endpoint.user)} have a login shell there?)`,
  })
