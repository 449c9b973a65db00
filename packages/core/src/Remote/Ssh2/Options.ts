/** What can be set for SSH connections. */
import { home } from "../Home.js"

export interface Ssh2Options {
  /** Milliseconds from dialling a hop to the end of its login. Default 10,000. */
  readonly readyTimeout?: number
  /** Milliseconds from asking for a command to its beginning: a login may hang in its start-up files. Default 30,000. */
  readonly beginTimeout?: number
  /** Milliseconds between two signs of life on an idle connection. Default 10,000. */
  readonly keepaliveInterval?: number
  /** How many signs of life may stay unanswered before the connection counts as lost. Default 3. */
  readonly keepaliveCountMax?: number
  /** Commands at a time on one connection; others wait. Default 9: of OpenSSH's usual 10, one is left for ending commands. */
  readonly maxSessions?: number
  /** The agent's socket. Default: the environment's `SSH_AUTH_SOCK`; an empty string means no agent. */
  readonly agentSocket?: string
  /** The home directory: what `~` means in key paths, and where the default key files are. Default: the user's. */
  readonly home?: string
}

export type Settings = Required<Ssh2Options>

export const withDefaults = (options: Ssh2Options): Settings => ({
  readyTimeout: options.readyTimeout ?? 10_000,
  beginTimeout: options.beginTimeout ?? 30_000,
  keepaliveInterval: options.keepaliveInterval ?? 10_000,
  keepaliveCountMax: options.keepaliveCountMax ?? 3,
  maxSessions: options.maxSessions ?? 9,
  agentSocket: options.agentSocket ?? process.env.SSH_AUTH_SOCK ?? "",
  home: options.home ?? home(),
})
