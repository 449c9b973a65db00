/** One SSH handshake over a stream: key exchange, host key, login. The only place that makes an ssh2 Client. */
import type { Duplex } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import ssh2, {
  type AnyAuthMethod,
  type AuthenticationType,
  type Client,
  type ConnectConfig,
  type NextAuthHandler,
} from "ssh2"
import type { RemoteError } from "../../Errors.js"
import type { Credentials } from "./Credentials.js"
import { dialling, hungUp, lost } from "./Failures.js"
import type { Hop } from "./Hop.js"
import { judge, offer, rejection, type Shown } from "./HostKeys.js"
import type { Settings } from "./Options.js"

/** A connection that is logged in. */
export interface Connection {
  readonly hop: Hop
  readonly client: Client
  /** Fails when the connection is lost, and never succeeds. */
  readonly lost: Deferred.Deferred<never, RemoteError>
  readonly isLost: () => boolean
  /** Declares it lost, when a call on it shows so before its events do. */
  readonly drop: (cause?: Error) => void
  readonly sessions: Sessions
  /** Ends it in good order. */
  readonly close: Effect.Effect<void>
}

/** The command sessions of a connection. */
export interface Sessions {
  readonly limit: Effect.Semaphore
  /** Those that are open or being opened, the oldest first. */
  readonly live: Set<object>
  /** When the last of them was closed, on the clock of `performance.now()`. */
  lastClosed: number
  /** Milliseconds that a command has to begin. */
  readonly beginTimeout: number
}

/** Logs in over `stream`. `onLost` is called once, as soon as the connection is of no more use. */
export const login = (
  hop: Hop,
  stream: Duplex,
  credentials: Credentials,
  settings: Settings,
  onLost: () => void,
): Effect.Effect<Connection, RemoteError> =>
  Effect.async<Connection, RemoteError>((resume) => {
    const client = new ssh2.Client()
    const connection = connectionOf(hop, client, stream, settings, onLost)
    const attempt: Attempt = {
      hop,
      readyTimeout: settings.readyTimeout,
      offered: undefined,
      accepted: [],
      refused: undefined,
    }
    let ready = false
    const stop = (error: Error | undefined) => {
      if (ready) return connection.drop(error)
      const failure = failureOf(attempt, error)
      if (failure === undefined) return
      resume(Effect.fail(failure))
      hangUp(stream)
    }
    // These listeners stay for the client's life: an 'error' that nobody listens to would end the process.
    client.on("error", stop)
    client.on("end", () => stop(undefined))
    client.on("close", () => stop(undefined))
    client.on("handshake", () => {
      attempt.offered ??= credentials.described
    })
    client.on("ready", () => {
      ready = true
      resume(Effect.succeed(connection))
    })
    client.connect({
      ...base(hop, stream, settings),
      hostVerifier: verifier(attempt),
      authHandler: chooser(attempt, credentials),
    })
    return Effect.sync(() => stream.destroy())
  })

/** A login under way, and how far it has come. */
interface Attempt {
  readonly hop: Hop
  readonly readyTimeout: number
  offered: string | undefined
  accepted: ReadonlyArray<string>
  /** The host key that was refused. */
  refused: Shown | undefined
}

const failureOf = (attempt: Attempt, error: Error | undefined): RemoteError | undefined => {
  if (attempt.refused !== undefined) return rejection(attempt.hop, attempt.refused)
  return error === undefined ? hungUp(attempt.hop) : dialling(attempt.hop, error, attempt)
}

/** Asked again whenever the keys are exchanged anew. */
const verifier = (attempt: Attempt) => (blob: Buffer) => {
  const shown = judge(attempt.hop, blob)
  if (shown.verdict === "pinned") return true
  attempt.refused = shown
  return false
}

/** Hands out one method after the other; first `none`, as OpenSSH does, for servers that know by other means who comes. */
const chooser = (attempt: Attempt, { methods }: Credentials) => {
  const left: Array<AnyAuthMethod> = [{ type: "none", username: attempt.hop.endpoint.user }, ...methods]
  return (accepted: Array<AuthenticationType> | null, _partial: boolean, next: NextAuthHandler) => {
    if (accepted !== null) attempt.accepted = accepted
    // ssh2 takes `false` for "nothing left", which its types do not know.
    next((left.shift() ?? false) as AnyAuthMethod)
  }
}

/** Runs the key exchange only: learns the key and hangs up. No user name and no credential is sent. */
export const probe = (hop: Hop, stream: Duplex, settings: Settings): Effect.Effect<Shown, RemoteError> =>
  Effect.async<Shown, RemoteError>((resume) => {
    const client = new ssh2.Client()
    const progress = { offered: undefined, accepted: [], readyTimeout: settings.readyTimeout }
    client.on("error", (error) => {
      const failure = dialling(hop, error, progress)
      if (failure !== undefined) resume(Effect.fail(failure))
      hangUp(stream)
    })
    client.on("close", () => resume(Effect.fail(hungUp(hop))))
    client.connect({
      ...base(hop, stream, settings),
      hostVerifier: (blob: Buffer) => {
        resume(Effect.succeed(judge(hop, blob)))
        return false
      },
    })
    return Effect.sync(() => stream.destroy())
  })

const base = (hop: Hop, stream: Duplex, settings: Settings): ConnectConfig => ({
  sock: stream,
  username: hop.endpoint.user,
  readyTimeout: settings.readyTimeout,
  keepaliveInterval: settings.keepaliveInterval,
  keepaliveCountMax: settings.keepaliveCountMax,
  algorithms: { serverHostKey: offer(hop) },
})

/** Lets what is written go out, then closes for good, whether the other side answers or not. */
const hangUp = (stream: Duplex): void => {
  stream.end(() => stream.destroy())
}

const connectionOf = (
  hop: Hop,
  client: Client,
  stream: Duplex,
  { beginTimeout, maxSessions }: Settings,
  onLost: () => void,
): Connection => {
  const gone = Deferred.unsafeMake<never, RemoteError>(FiberId.none)
  let isLost = false
  const drop = (cause?: Error) => {
    if (isLost) return
    isLost = true
    onLost()
    Deferred.unsafeDone(gone, Effect.fail(lost(hop, cause)))
    stream.destroy()
  }
  const close = Effect.suspend(() => {
    client.end()
    return Effect.interruptible(Effect.ignore(Deferred.await(gone))).pipe(
      Effect.timeoutOption("500 millis"),
      Effect.zipRight(Effect.sync(() => drop())),
    )
  })
  const sessions = {
    limit: Effect.unsafeMakeSemaphore(maxSessions),
    live: new Set<object>(),
    lastClosed: Number.NEGATIVE_INFINITY,
    beginTimeout,
  }
  return { hop, client, lost: gone, isLost: () => isLost, drop, sessions, close }
}
