/**
 * What this machine remembers of a log outside its file: who replaces the file by an older copy of itself leaves a log that
 * holds, and only somebody who has seen more of it can tell.
 */
import { resolve } from "node:path"
import { EnrolmentRequested, machinesStream } from "@context-engine/core/domain/Machine"
import { StorageError } from "@context-engine/core/Errors"
import type { Loss } from "@context-engine/core/services/Audit"
import { writtenIn } from "../beside.js"
import type { Connection } from "../connection.js"
import { lossByCut } from "../cut.js"
import { unreadable } from "../obstacle.js"
import { readWritten } from "../thisFile.js"
import { notWhole } from "../trust/notWhole.js"
import {
  fileOf,
  forget,
  movedFrom,
  ownName,
  type Remembered,
  recallLog,
  rootsElsewhere,
  type Seen,
  writeRemembered,
} from "./file.js"
import { judge, lossesOf, readMark } from "./judge.js"
import { type KeptRoot, keptWith, missingIn } from "./roots.js"

export interface MemoryOptions {
  /** Where it is kept: a directory for nobody else, which is made if there is none. */
  readonly directory: string
  /** Told of a loss, and of a memory that cannot be read, when the log is opened. */
  readonly tell?: (message: string, next: string) => void
  /** Whether a log without events, of which some were seen, is not opened at all: it would look like one in which there is nothing. */
  readonly refusesEmpty?: boolean
}

/** The end of a log, and how it stands to the shared one. */
export interface LastSeen {
  readonly hash: string | null
  readonly logId: string | null
  readonly position: number
  readonly rebases: number
}

/** The query that gives it. */
export const lastSeen = `SELECT (SELECT hash FROM events ORDER BY position DESC LIMIT 1) AS hash,
  log_id AS logId, position, rebases FROM sync`

/** The memory of one log. Its methods are synchronous, and run on a connection to the log outside any transaction. */
export class LogMemory {
  readonly #path: string
  /** How it was named: earlier versions went by that. */
  readonly #named: string
  /** Nothing was known of a log at this path when it was opened. */
  #isNew = false

  constructor(
    path: string,
    readonly options: MemoryOptions,
  ) {
    this.#path = ownName(path)
    this.#named = path
  }

  /** Whether the log is as it was seen last, to the event: then nothing is missing, and there is nothing to tell. */
  isAsSeen({ hash, logId, position, rebases }: LastSeen): boolean {
    const seen = this.#read()
    return (
      seen?.head?.hash === hash &&
      seen.lost.length === 0 &&
      seen.logId === logId &&
      seen.rebases === rebases &&
      (seen.confirmed?.position ?? 0) === position
    )
  }

  /** To be called when the log was opened and is not as it was: tells what is missing. Gives whether there is something new to remember. */
  open(connection: Connection): boolean {
    const { directory, refusesEmpty = false, tell } = this.options
    const damaged = (reason: string) => {
      const [what, file] = [
        `what this machine remembered of ${this.#path} cannot be read`,
        fileOf(directory, this.#path),
      ]
      const obstacle = unreadable(file)
      if (obstacle === undefined) tell?.(`${what} (${reason}) and is begun anew`, `see ${file}`)
      else tell?.(`${what}: ${obstacle.found}`, obstacle.fix)
    }
    const remembered = this.#read(damaged) ?? this.#moved(connection)
    this.#isNew = remembered === undefined
    const loss = remembered && judge(this.#path, remembered, connection)
    if (loss && refusesEmpty && readMark(connection, "LIMIT 1") === undefined)
      throw new StorageError({ reason: "unavailable", message: `${loss.message}\n  ${loss.next}` })
    if (loss) tell?.(loss.message, loss.next)
    const ahead = loss || lossByCut(this.#path, connection)
    if (!loss && ahead) tell?.(ahead.message, ahead.next)
    return !ahead && this.#isNews(remembered, see(this.#path, connection, remembered))
  }

  /** What the log lacks now; `null` if nothing. */
  look(connection: Connection): Loss | null {
    // What is remembered is read first: it was committed before it was written, so that it must be in the log.
    const remembered = this.#read() ?? this.#moved(connection)
    return remembered === undefined ? null : judge(this.#path, remembered, connection)
  }

  /** Remembers the log as it is, and what it lacks: only a person's word makes good for that. */
  keep(connection: Connection): void {
    const remembered = this.#read() ?? this.#moved(connection)
    const lost = remembered === undefined ? [] : lossesOf(remembered, connection).slice(0, mostLost)
    const seen = see(this.#path, connection, remembered, lost)
    if (seen !== undefined && this.#isNews(remembered, seen)) this.#write(seen, remembered)
  }

  /** The roots that a person accepted in this log before its file was lost, and of which the file knows nothing yet. */
  missingRoots(connection: Connection): ReadonlyArray<KeptRoot> {
    const remembered = this.#read() ?? this.#moved(connection)
    if (remembered !== undefined && !this.#isNew) return missingIn(connection, remembered.roots)
    const first = readMark(connection, "WHERE position = 1")
    return first === undefined
      ? []
      : missingIn(connection, rootsElsewhere(this.options.directory, first.hash, this.#path))
  }

  /** Takes the log as it is for the one to go on from. Gives what is given up; `null` if nothing is. */
  accept(connection: Connection): Loss | null {
    const remembered = this.#read() ?? this.#moved(connection)
    const loss = remembered === undefined ? null : judge(this.#path, remembered, connection)
    const seen = see(this.#path, connection, remembered)
    if (seen !== undefined) this.#write(seen, remembered)
    else if (remembered !== undefined) this.#goOnWithout(remembered)
    return loss
  }

  /** Of the log nothing is expected any more; whose word counts in it is another matter. */
  #goOnWithout({ roots }: Remembered): void {
    const { directory } = this.options
    const nothing = { path: this.#path, first: null, logId: null, rebases: 0, confirmed: null, head: null, lost: [] }
    if (roots.length === 0) forget(directory, this.#path)
    else writeRemembered(directory, { ...nothing, roots, at: new Date().toISOString() })
  }

  #write(seen: Remembered, before: Remembered | undefined): void {
    writeRemembered(this.options.directory, seen)
    if (before !== undefined && before.path !== this.#path) forget(this.options.directory, before.path)
  }

  #read(onDamage?: (reason: string) => void): Remembered | undefined {
    try {
      return recallLog(this.options.directory, this.#named)
    } catch (error) {
      onDamage?.((error as Error).message)
      return undefined
    }
  }

  /** A file that is not known may be one that is, at another place than before. */
  #moved(connection: Connection): Remembered | undefined {
    const first = readMark(connection, "WHERE position = 1")
    return first && movedFrom(this.options.directory, first.hash)
  }

  #isNews(remembered: Remembered | undefined, seen: Remembered | undefined): boolean {
    if (seen === undefined) return false
    const { at: _, ...before } = remembered ?? { at: "" }
    const { at: __, ...now } = seen
    return JSON.stringify(before) !== JSON.stringify(now)
  }
}

/** The roots that a person accepted in the log of that beginning, at that path or wherever it is new there. Throws nothing. */
export const rootsOf = (directory: string, path: string, first: string): ReadonlyArray<KeptRoot> => {
  try {
    const remembered = recallLog(directory, path) ?? movedFrom(directory, first)
    return remembered?.roots ?? rootsElsewhere(directory, first, ownName(path))
  } catch {
    return []
  }
}

/** What is remembered of the log at a path, as a question to it, or why that cannot be read. Without a connection it is gone. */
export const recall = (
  directory: string,
  path: string,
): {
  readonly reason?: string
  readonly remembered?: (connection: Connection | undefined) => Loss | null
} => {
  try {
    const remembered = recallLog(directory, path)
    return remembered === undefined ? {} : { remembered: (connection) => judge(resolve(path), remembered, connection) }
  } catch (error) {
    return { reason: (error as Error).message }
  }
}

/** A request to be let in that was not shared yet: it is made again whenever that is needed, so nothing is lost with it. */
const waits = `position > ?1 AND stream = '${machinesStream}' AND type = '${EnrolmentRequested.type}'`

/** What is left of a command whose end was cut off counts for nothing, and goes where this machine's work is put after that of others. */
const halves = `position IN (SELECT position FROM inert WHERE reason = '${notWhole}')`

/** So many ends of one log that were lost are remembered. */
const mostLost = 8

/** The log as it is, to be remembered, beside what it lacks; `undefined` where it has no events. */
const see = (
  path: string,
  connection: Connection,
  before: Remembered | undefined,
  lost: ReadonlyArray<Seen> = [],
): Remembered | undefined => {
  const [logId, position, rebases] = connection.prepare("SELECT log_id, position, rebases FROM sync").get()
  const head = readMark(connection, `WHERE NOT (${waits}) AND NOT (${halves}) ORDER BY position DESC LIMIT 1`, position)
  const first = readMark(connection, "WHERE position = 1")
  if (head === undefined || first === undefined) return undefined
  const confirmed = readMark(connection, "WHERE position = ?", position) ?? null
  const roots = keptWith(connection, before?.roots ?? [])
  const come = writtenIn(path, readWritten(connection)) ?? before?.file
  const file = come?.file === "" ? undefined : come
  return { path, first: first.hash, logId, rebases, confirmed, head, roots, lost, file, at: new Date().toISOString() }
}
