/** Which log a command works on, and on whose behalf. */
import { existsSync } from "node:fs"
import { homedir, hostname, userInfo } from "node:os"
import { join } from "node:path"
import type { OriginData } from "@context-engine/core/Origin"
import * as Effect from "effect/Effect"
import { Refused } from "../usage.js"

/** Which log, and as of when. */
export interface LogOptions {
  readonly db: string | undefined
  readonly at?: string | undefined
  /** Whether the command waits until what it wrote is in the shared log. */
  readonly waitSync?: boolean | undefined
}

/** The same, with the answer to an unknown host key. */
export interface HostOptions extends LogOptions {
  readonly acceptHostKey: boolean
}

/** The log's file: `--db`, else `CONTEXT_DB`, else `~/.claude/infra.db`. */
export const databasePath = (db: string | undefined): Effect.Effect<string, Refused> => {
  if (db?.trim() === "")
    return new Refused({ message: "--db is empty", next: "name the log's file, or leave --db out" })
  const path = db ?? (process.env.CONTEXT_DB || join(homedir(), ".claude", "infra.db"))
  return Effect.succeed(path.startsWith("~/") ? join(homedir(), path.slice(2)) : path)
}

/**
 * The file with this machine's key, which signs what it appends: `CONTEXT_KEY` (`off` for none), else
 * `~/.config/context/machine.key`.
 */
export const machineKey = (): { readonly keyPath?: string } => {
  const named = process.env.CONTEXT_KEY
  if (named === "off") return {}
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), ".config")
  return { keyPath: named || join(config, "context", "machine.key") }
}

/** The file that `sync connect` keeps the address and the token in, for nobody else to read. */
export const endpointFile = (): string => {
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), ".config")
  return process.env.CONTEXT_SYNC_FILE || join(config, "context", "sync.json")
}

/** Whether the log is shared with other machines. */
export const isShared = (): boolean =>
  process.env.CONTEXT_SYNC !== "off" && (Boolean(process.env.TURSO_URL) || existsSync(endpointFile()))

/** Who gives this command, for the log. */
export const origin = (): OriginData => ({
  actor: process.env.CONTEXT_ACTOR || userName(),
  via: "cli",
  machine: hostname(),
})

const userName = (): string => {
  try {
    return userInfo().username
  } catch {
    // A container may run under a number that has no name.
    return process.env.USER || "unknown"
  }
}
