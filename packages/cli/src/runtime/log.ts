/** Which log a command works on, and on whose behalf. */
import { existsSync, statSync } from "node:fs"
import { hostname, userInfo } from "node:os"
import { dirname, join } from "node:path"
import type { Identity } from "@context-engine/core/Here"
import type { OriginData } from "@context-engine/core/Origin"
import { fromHome, home } from "@context-engine/core/Remote/Home"
import type { Loss } from "@context-engine/core/services/Audit"
import { plainPath } from "@context-engine/store/files"
import type { MemoryOptions } from "@context-engine/store/memory/LogMemory"
import { setting } from "@context-engine/store/setting"
import { isConnected, type Owner, ownerOf } from "@context-engine/store/sync/config"
import * as Effect from "effect/Effect"
import { safe } from "../render/safe.js"
import { sayNow } from "../terminal.js"
import { Refused, UsageError } from "../usage.js"
import { checkKey, machineKey } from "./key.js"
import { configDirectory } from "./places.js"

/** Which log, and as of when. */
export interface LogOptions {
  readonly db: string | undefined
  readonly at?: string | undefined
  readonly knownAt?: string | undefined
  /** Whether the command waits until what it wrote is in the shared log. */
  readonly waitSync?: boolean | undefined
  /** Whether the log is held against what this machine has seen of it. Default `true`; `quietly` says nothing about it. */
  readonly remembered?: boolean | "quietly" | undefined
  /** For what leads back from a log that is gone, though this machine has seen it: nothing else makes a file in its place. */
  readonly mayBeGone?: boolean | undefined
}

/** Whether the answer is of the past. */
export const isPast = ({ at, knownAt }: Pick<LogOptions, "at" | "knownAt">): boolean =>
  at !== undefined || knownAt !== undefined

/** The same, with the answer to an unknown host key. */
export interface HostOptions extends LogOptions {
  readonly acceptHostKey: boolean
}

const syncModes = ["synced", "remote", "replica", "off"] as const

/**
 * How the log is shared: `synced` into this machine's file, the same by way of a `replica`, with the primary alone (`remote`,
 * which keeps no file), or `off`.
 */
export type SyncMode = (typeof syncModes)[number]

/** `CONTEXT_SYNC`, else `synced`. Another word means `synced` here, and is refused by whatever needs the log. */
export const syncMode = (): SyncMode =>
  syncModes.find((mode) => mode === setting(process.env, "CONTEXT_SYNC")) ?? "synced"

/** Refuses what is no mode: a log that is not shared as it was meant to be would go unnoticed. */
const checkSyncMode = (): Effect.Effect<void, UsageError> => {
  const named = setting(process.env, "CONTEXT_SYNC")
  if (named === undefined || named === syncMode()) return Effect.void
  // What is no word may be a secret that was meant for another setting.
  const shown = /^[\w-]{1,16}$/.test(named) ? `not ${JSON.stringify(named)}` : "and holds something else"
  const message = `CONTEXT_SYNC must be one of ${syncModes.join(", ")}, ${shown}`
  return new UsageError({ message, see: "context infra sync status --help" })
}

/** Refuses settings that cannot be meant. Whatever needs the log asks this first. */
export const checkSettings: Effect.Effect<void, Refused | UsageError> = Effect.suspend(() =>
  Effect.zipRight(checkSyncMode(), checkKey),
)

const defaultPath = () => setting(process.env, "CONTEXT_DB") ?? join(home(), ".claude", "infra.db")

/** The log's file: `--db`, else `CONTEXT_DB`, else `~/.claude/infra.db`. */
export const databasePath = (db: string | undefined): Effect.Effect<string, Refused | UsageError> =>
  Effect.as(checkSettings, plainPath(fromHome(db ?? defaultPath())))

/**
 * A log that is named, or that this machine has seen, has to be there: what only reads it, or acts on hosts, makes none, and one that
 * is not there does not hold. A machine that has never seen one has an empty one.
 */
export const logIsThere = (db: string | undefined): Effect.Effect<void, Refused | UsageError> =>
  Effect.gen(function* () {
    if (syncMode() === "remote") return
    const path = yield* databasePath(db)
    if (isThere(path)) return
    yield* notLost(path)
    if (db !== undefined) return yield* new Refused({ message: `there is no log at ${path}` })
  })

/** Where the log's file is, or may be begun. */
export const pathOfLog = (options: LogOptions): Effect.Effect<string, Refused | UsageError> =>
  Effect.tap(databasePath(options.db), (path) => (isThere(path) ? Effect.void : mayBegin(path, options)))

/**
 * Nothing is begun in the place of a log that this machine has seen and that is lost, nor in a directory that is not there, where a
 * person named it: that is a slip. The directory of the log that nobody named is made, and so is that of one to be brought back.
 */
const mayBegin = (path: string, { db, mayBeGone = false }: LogOptions): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    if (!isNamed(db) || existsSync(dirname(path))) return mayBeGone ? undefined : yield* notLost(path)
    const loss = yield* lossOf(path)
    if (loss !== null) return mayBeGone ? undefined : yield* new Refused(loss)
    const message = `there is no directory ${dirname(path)}; make it, or name a file in another`
    return yield* new Refused({ message })
  })

const notLost = (path: string): Effect.Effect<void, Refused> =>
  Effect.flatMap(lossOf(path), (loss) => (loss === null ? Effect.void : new Refused(loss)))

/** Whether a person named the log, with `--db` or `CONTEXT_DB`, and so may have mistyped its name. */
export const isNamed = (db: string | undefined): boolean =>
  syncMode() !== "remote" && (db ?? setting(process.env, "CONTEXT_DB")) !== undefined

/** What follows from that a person named a log: it says where one was begun, for another may have been meant; and it may be a copy. */
export const named = ({ db }: LogOptions, path: string) => ({
  isNamed: isNamed(db),
  onBegin: isNamed(db) ? () => sayNow(`began a new log at ${safe(path)}`) : undefined,
})

/** What this machine has seen of a log whose file is gone; `null` where it is there, or was never seen. */
export const lossWhereGone = (db: string | undefined): Effect.Effect<Loss | null, Refused | UsageError> =>
  Effect.flatMap(databasePath(db), (path) => (isThere(path) ? Effect.succeed(null) : lossOf(path)))

/**
 * What cannot be looked at is there, as far as anybody knows here: who opens it is told why it cannot be. A file of no bytes is none:
 * a disk that filled up, or somebody's redirection, left only its name.
 */
const isThere = (path: string): boolean => {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    return found !== undefined && !(found.isFile() && found.size === 0)
  } catch {
    return true
  }
}

/** What this machine has seen of a log that is not there. */
const lossOf = (path: string) =>
  Effect.promise(async () => {
    const directory = memoryDirectory()
    if (directory === undefined) return null
    const { recallLog } = await import("@context-engine/store/memory/file")
    const { judge } = await import("@context-engine/store/memory/judge")
    try {
      const remembered = recallLog(directory, path)
      return remembered === undefined ? null : judge(path, remembered, undefined)
    } catch {
      // What cannot be read tells nothing.
      return null
    }
  })

/** Refuses what makes sense for a file only: `what` would be done to it. */
export const needsFile = (what: string): Effect.Effect<void, Refused> =>
  syncMode() === "remote"
    ? new Refused({
        message: `CONTEXT_SYNC=remote keeps no file here, so there is nothing to ${what}`,
        next: "run it without CONTEXT_SYNC, on a machine that keeps the log",
      })
    : Effect.void

/** Where this machine keeps what it has seen of its logs; `undefined` where none is kept. */
export const memoryDirectory = (): string | undefined =>
  syncMode() === "remote" ? undefined : join(configDirectory(), "logs")

/** The same for one log, with a warning for the person in front where it lacks something. */
export const memory = (options: LogOptions): { readonly memory: MemoryOptions | undefined } => {
  const { mayBeGone = false, remembered = true } = options
  const directory = remembered === false ? undefined : memoryDirectory()
  if (directory === undefined) return { memory: undefined }
  return { memory: { directory, refusesEmpty: !mayBeGone, ...(remembered === true && { tell: warn }) } }
}

const told = new Set<string>()

/** Once, however often a command opens the log. */
const warn = (message: string, next: string): void => {
  if (told.has(message)) return
  told.add(message)
  sayNow(`warning: ${safe(message)}\n  ${safe(next)}`)
}

/** The file that `sync connect` keeps addresses and tokens in, one a log, for nobody else to read. */
export const endpointFile = (): string =>
  setting(process.env, "CONTEXT_SYNC_FILE") ?? join(configDirectory(), "sync.json")

/** Whose connection to a shared log is meant: a file's own, never another's. */
export const owner = (db: string | undefined): Owner => ownerOf(fromHome(db ?? defaultPath()), fromHome(defaultPath()))

/** Whether the log is shared with other machines. */
export const isShared = (db: string | undefined): boolean => syncMode() !== "off" && hasShared(db)

/** Whether there is a shared log, asked or not. */
export const hasShared = (db: string | undefined): boolean => isConnected(process.env, endpointFile(), owner(db))

/** Which machine this is: a server that is local to another one is out of reach here. */
export const here = (): Effect.Effect<Identity> =>
  Effect.flatMap(
    Effect.promise(() => import("@context-engine/store/identity")),
    ({ identityOf }) => identityOf(machineKey().keyPath),
  )

/** So much of a name is noted: an event that says more of who wanted it than of what happened is refused by the log. */
const mostActor = 256

/** Who gives this command, for the log. */
export const origin = (): OriginData => ({
  actor: (setting(process.env, "CONTEXT_ACTOR") ?? userName()).slice(0, mostActor),
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
