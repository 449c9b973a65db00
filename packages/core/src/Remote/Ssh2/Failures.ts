/** Says in a RemoteError what ssh2 reports when it dials. */
import { RemoteError } from "../../Errors.js"
import { clean } from "../Text.js"
import type { Hop } from "./Hop.js"

/** How far a handshake had come, for an error that does not tell by itself. */
export interface Progress {
  /** What was offered at the login; undefined until then. */
  readonly offered: string | undefined
  /** The methods that the server says it accepts. */
  readonly accepted: ReadonlyArray<string>
  readonly readyTimeout: number
}

interface Ssh2Error extends Error {
  readonly level?: string
  readonly code?: string | number
}

/** An error of ssh2 while it dials; undefined for one that it goes on after, such as an agent that does not answer. */
export const dialling = (hop: Hop, error: Ssh2Error, progress: Progress): RemoteError | undefined => {
  const fail: Fail = (reason, message) => new RemoteError({ reason, host: hop.address, message, cause: error })
  switch (error.level) {
    case "agent":
      return undefined
    case "client-timeout":
      return fail(
        "timeout",
        `${hop.address} did not finish the SSH handshake within ${progress.readyTimeout / 1000} s (check the address, the port and firewalls)`,
      )
    case "client-authentication":
      // ssh2 reports a key that cannot sign, too, and goes on to the next one.
      return /configured authentication methods/.test(error.message) ? denied(hop, error, progress) : undefined
    case "client-socket":
      return socket(hop, error, fail)
    case "handshake":
      return fail(
        "unreachable",
        `${hop.address} and this program find no common ground in SSH: ${clean(error.message)}`,
      )
    default:
      return typeof error.code === "number"
        ? disconnected(hop, error, progress, fail)
        : fail("unreachable", notSsh(hop, error))
  }
}

/** The server said goodbye (RFC 4253, 11.1): in the login it has had enough of wrong keys. */
const disconnected = (hop: Hop, error: Ssh2Error, progress: Progress, fail: Fail): RemoteError =>
  progress.offered === undefined
    ? fail("unreachable", `${hop.address} refuses the connection: ${clean(error.message)}`)
    : denied(hop, error, progress)

const notSsh = (hop: Hop, error: Ssh2Error): string =>
  `${hop.address} does not answer as an SSH server does: ${clean(error.message)} (is it the right port?)`

type Fail = (reason: RemoteError["reason"], message: string) => RemoteError

/** The connection ended while it was dialled, and nobody said why. */
export const hungUp = (hop: Hop): RemoteError =>
  new RemoteError({
    reason: "unreachable",
    host: hop.address,
    message: `${hop.address} closed the connection during the SSH handshake (too many connections, or this machine is blocked there?)`,
  })

/** The connection ended after it had been ready. */
export const lost = (hop: Hop, cause?: Error): RemoteError =>
  new RemoteError({
    reason: "connection-lost",
    host: hop.address,
    message: `the connection to ${hop.address} was lost${cause === undefined ? "" : ` (${clean(cause.message)})`}: what was running there may have ended or not; look before you run it again`,
    cause,
  })

/** RFC 4254, 5.1: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED. */
export const isProhibited = (error: unknown): boolean => (error as { readonly reason?: unknown }).reason === 1

/** RFC 4254, 5.1: SSH_OPEN_CONNECT_FAILED. */
export const isConnectFailed = (error: unknown): boolean => (error as { readonly reason?: unknown }).reason === 2

/** Nobody said no, and nobody said yes in time. */
export const isTimeout = (error: unknown): boolean => (error as { readonly code?: unknown }).code === "ETIMEDOUT"

/** A jump host did not open the way to the next hop. */
export const noWay = (hop: Hop, jump: Hop, error: Error): RemoteError =>
  isProhibited(error)
    ? new RemoteError({
        reason: "refused",
        host: hop.address,
        message: `the jump host ${jump.address} does not forward connections (AllowTcpForwarding in its sshd_config), so ${hop.address} cannot be reached through it`,
        cause: error,
      })
    : new RemoteError({
        reason: isTimeout(error) ? "timeout" : "unreachable",
        host: hop.address,
        message: `${hop.address} cannot be reached from the jump host ${jump.address}: ${clean(error.message)} (check the address, the port and firewalls)`,
        cause: error,
      })

const denied = (hop: Hop, cause: Error, { offered = "nothing", accepted }: Progress): RemoteError => {
  const only = accepted.length > 0 && !accepted.includes("publickey")
  const advice = only
    ? `the server only takes ${clean(accepted.join(", "))}; allow keys there (PubkeyAuthentication)`
    : `add the public key to ~${hop.endpoint.user}/.ssh/authorized_keys there, or name another key`
  return new RemoteError({
    reason: "authentication",
    host: hop.address,
    message: `${hop.address} does not let ${clean(hop.endpoint.user)} in; offered: ${offered} (${advice})`,
    cause,
  })
}

const socket = (hop: Hop, error: Ssh2Error, fail: Fail) => {
  switch (error.code) {
    case "ECONNREFUSED":
      return fail(
        "unreachable",
        `nothing accepts connections at ${hop.address} (is sshd running there, and is the port right?)`,
      )
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return fail(
        "unreachable",
        `the name ${clean(hop.endpoint.host)} cannot be resolved (check its spelling and this machine's DNS)`,
      )
    case "ETIMEDOUT":
      return fail("timeout", `${hop.address} does not answer (check the address, the port and firewalls)`)
    case "ECONNRESET":
      return hungUp(hop)
    default:
      return fail("unreachable", `${hop.address} cannot be reached: ${clean(error.message)}`)
  }
}
