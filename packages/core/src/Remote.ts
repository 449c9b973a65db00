/**
 * Port: run something on a host. Drivers: `Remote/Ssh2.ts` (ssh2) and `Remote/Local.ts` (this machine, no SSH).
 *
 * Whatever varies travels as data: a script is a constant of our own (or a command the owner registered), and values reach
 * it as positional arguments or environment variables, quoted by the driver. No value is ever pasted into a script.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RemoteError } from "./Errors.js"

/** A public host key, as the log pins it. */
export interface HostKey {
  /** `host:port` as it was dialled. */
  readonly address: string
  /** The key's type, for example `ssh-ed25519`. */
  readonly algorithm: string
  /** The public key blob in base64, as in a `known_hosts` line. */
  readonly key: string
  /** `SHA256:…` in base64 without padding, as OpenSSH prints it. */
  readonly fingerprint: string
}

/** One SSH endpoint and how to log in there. */
export interface SshEndpoint {
  readonly host: string
  readonly port: number
  /** Absent: the name of whoever runs this program, as OpenSSH has it. */
  readonly user?: string | undefined
  /** A private key file, `~` allowed. Absent: the agent and OpenSSH's default key files. */
  readonly keyPath?: string | undefined
  /** The hosts to go through, dialled one through the other. */
  readonly jump?: SshEndpoint | undefined
}

/** Where to run: this machine, or a host by SSH. `name` is what people call it, in messages. */
export type Target =
  | { readonly _tag: "Local"; readonly name: string }
  | {
      readonly _tag: "Ssh"
      readonly name: string
      readonly endpoint: SshEndpoint
      /** The keys pinned in the log, of this host and of its jump hosts. */
      readonly hostKeys: ReadonlyArray<HostKey>
    }

/** What to run. */
export interface RemoteCommand {
  /** POSIX shell text, run by `sh -c`; `$1`, `$2`, … are `args`. */
  readonly script: string
  readonly args?: ReadonlyArray<string>
  /** Added to the environment. Names must match `[A-Za-z_][A-Za-z0-9_]*`; values are data. */
  readonly env?: Readonly<Record<string, string>>
  /** The working directory; `~` and `~/…` are the login user's home. */
  readonly cwd?: string
  /** Milliseconds from the start of the command to its end. Default 60,000. */
  readonly timeout?: number
  /** How many bytes of each stream the result keeps; the rest is counted only. The head is kept. Default 1 MiB. */
  readonly maxOutput?: number
  /**
   * What the command reads from its standard input, which is not closed afterwards: it must know where it ends. For what
   * must not be seen in the host's list of processes. Absent: an empty input.
   */
  readonly input?: string
  /** Whether it is left alone when nobody waits for it any more, instead of being killed. Default false. */
  readonly detach?: boolean
  /** Called with every piece of output as it comes, in order. */
  readonly onOutput?: (chunk: OutputChunk) => Effect.Effect<void>
}

export interface OutputChunk {
  readonly stream: "stdout" | "stderr"
  readonly data: Uint8Array
}

/** How a command ended. A status other than 0 is a result, not an error. */
export interface RemoteResult {
  /** The exit status; 128 + n when signal n ended it. */
  readonly exitCode: number
  /** Decoded as UTF-8, invalid bytes replaced. */
  readonly stdout: string
  readonly stderr: string
}

/** An HTTP request made from the host itself, so that a service bound to its loopback can be asked. */
export interface RemoteRequest {
  readonly port: number
  /** Begins with `/`. */
  readonly path: string
  /** Milliseconds for the whole exchange. */
  readonly timeout: number
}

export interface RemoteResponse {
  readonly status: number
  /** Milliseconds from the request to the response's head, without the time it took to connect by SSH. */
  readonly latency: number
}

/** Someone to ask whether an unknown host key is to be trusted. The default trusts none. */
export class HostKeyPrompt extends Context.Reference<HostKeyPrompt>()("@context-engine/core/HostKeyPrompt", {
  defaultValue: (): ((server: string, key: HostKey) => Effect.Effect<boolean>) | undefined => undefined,
}) {}

/**
 * Runs commands on hosts. One connection a host is shared within the service's scope and opened on first use.
 *
 * A host key that is not pinned fails with `host-key-unknown`; one that differs from the pinned key with `host-key-changed`.
 * In both cases nothing has been sent beyond the key exchange: no user name, no credential.
 */
export class Remote extends Context.Tag("@context-engine/core/Remote")<
  Remote,
  {
    /** Runs a command and waits for its end. */
    readonly run: (target: Target, command: RemoteCommand) => Effect.Effect<RemoteResult, RemoteError>
    /** `GET http://127.0.0.1:<port><path>` as seen from the host. Redirects are not followed. */
    readonly get: (target: Target, request: RemoteRequest) => Effect.Effect<RemoteResponse, RemoteError>
    /**
     * The key an endpoint of the target shows and that no pin answers yet: the target's own, or that of the first jump host
     * not pinned. `undefined` when all are pinned and match. Used to ask a person before the first connection.
     */
    readonly unknownHostKey: (target: Target) => Effect.Effect<HostKey | undefined, RemoteError>
  }
>() {}
