/** A native libSQL connection to the local file: synchronous, with its statements prepared once. */
import { existsSync, realpathSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { StorageError } from "@context-engine/core/Errors"
import type { Obstacle } from "@context-engine/core/EventLog"
import Libsql from "libsql"
import type { OpenedFile } from "./OpenedFile.js"
import { hasLess, obstacleTo } from "./obstacle.js"
import { count, readWithin, type Within } from "./thisFile.js"

/** The part of the native driver that is used. Its own typings are those of another package. */
export interface NativeStatement {
  run(...params: ReadonlyArray<unknown>): { readonly changes: number }
  get(...params: ReadonlyArray<unknown>): any
  all(...params: ReadonlyArray<unknown>): ReadonlyArray<any>
  iterate(...params: ReadonlyArray<unknown>): IterableIterator<any>
  raw(toggle?: boolean): NativeStatement
}

interface NativeDatabase {
  readonly inTransaction: boolean
  readonly open: boolean
  prepare(sql: string): NativeStatement
  exec(sql: string): void
  close(): void
}

/** What a transaction's body may do. */
export interface Connection {
  /** A statement, prepared on first use and kept. Rows come as arrays of columns. */
  readonly prepare: (sql: string) => NativeStatement
  readonly exec: (sql: string) => void
}

/**
 * What every connection to a log sets. Every 4,000 pages (16 MB) what was committed is taken over from the write-ahead log into
 * the file; where a reader kept that from happening for long, the write-ahead log shrinks back to that size afterwards.
 */
export const logSettings = `PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = ${4_000 * 4_096}`

/** What is watched around each transaction of a log. */
export interface OnCommit {
  /** Must still be at its path, and not be set back, before a transaction is committed: what is put there later is put there in place of it. */
  readonly file: OpenedFile
  readonly committed: () => void
}

export class NativeConnection implements Connection {
  #database: NativeDatabase
  #statements = new Map<string, NativeStatement>()
  #wrote = false
  #before: Within | undefined
  #isAllTaken = false

  constructor(
    readonly path: string,
    readonly busyTimeout: number,
    /** A file that is only a lock needs none of them. */
    readonly settings = logSettings,
    readonly onCommit?: OnCommit,
  ) {
    this.#database = open(path, busyTimeout, settings)
  }

  prepare = (sql: string): NativeStatement => {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#database.prepare(sql)
    if (/^\s*(select|pragma|with)\b/i.test(sql)) statement.raw(true)
    this.#statements.set(sql, statement)
    return statement
  }

  exec = (sql: string): void => this.#database.exec(sql)

  /**
   * Runs `body` in one transaction, alone among all writers of the file. Whatever it throws undoes everything it did.
   * A connection that cannot even roll back is replaced: libSQL may otherwise keep the lock.
   */
  transact<A>(body: (connection: Connection) => A): A {
    try {
      return this.#transactOnce(body)
    } catch (error) {
      if (codeOf(error) !== "SQLITE_READONLY") throw error
      // SQLite keeps a file for one that may only be read as it found it when it was opened: that may be over.
      this.#reopen()
      return this.#transactOnce(body)
    }
  }

  #transactOnce<A>(body: (connection: Connection) => A): A {
    try {
      this.begin()
      const result = body(this)
      this.commit()
      return result
    } catch (error) {
      this.rollback()
      throw error
    }
  }

  begin(): void {
    this.prepare("BEGIN IMMEDIATE").run()
    this.#isAllTaken = this.onCommit?.file.isAllTaken() ?? false
    this.#before = this.onCommit && readWithin(this)
    this.onCommit?.file.goesOn(this.#before?.come)
  }

  commit(): void {
    // What is in the file by itself is looked at first: what lies beside it has come as far at least.
    const file = this.onCommit?.file
    file?.check()
    const written = file && count(this, this.#before, this.#isAllTaken)
    file?.goesOn(written)
    this.prepare("COMMIT").run()
    this.#wrote = true
    file?.wentOn(written)
    this.onCommit?.committed()
  }

  rollback(): void {
    try {
      if (this.#database.inTransaction) this.exec("ROLLBACK")
    } catch {
      this.#reopen()
    }
  }

  #reopen(): void {
    this.close()
    this.#database = open(this.path, this.busyTimeout, this.settings)
  }

  /**
   * Takes what this connection committed over into the file itself first, so that the file alone is the whole log. SQLite does
   * that when the last connection closes; but the driver's only close when the garbage collector has found their statements,
   * which is never in a short process.
   */
  close(): void {
    this.takeOver()
    this.#statements.clear()
    if (!this.#database.open) return
    // Closed last, it would write what it committed into a file that is none of its own.
    if (this.onCommit?.file.isWhole === false) leave(this.#database)
    else this.#database.close()
  }

  /** The same while it stays open. */
  takeOver(): void {
    if (!this.#wrote || !this.#database.open || this.onCommit?.file.isWhole === false || !this.#isReadable()) return
    this.#checkpoint()
    this.#wrote = false
  }

  /** Whether what was committed last is there: who cuts off what lies beside a file leaves SQLite to take over nothing into it. */
  #isReadable(): boolean {
    if (this.onCommit === undefined) return true
    try {
      this.exec("PRAGMA shrink_memory")
      this.#database
        .prepare("SELECT (SELECT hash FROM events ORDER BY position DESC LIMIT 1), (SELECT position FROM checkpoint)")
        .get()
      return true
    } catch (cause) {
      this.onCommit.file.found(storageError(this.path, cause))
      return false
    }
  }

  /** Where others are at work it does what it can: whoever of them writes does the rest. */
  #checkpoint(): void {
    try {
      this.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    } catch {
      // Nothing is lost: it is all in the write-ahead log still.
    }
  }
}

const left = new Set<unknown>()

/**
 * Keeps a connection open until the process is gone. SQLite takes over what lies beside a file when its last connection closes, and so
 * does the driver with all that are open when Node ends by itself; when a program ends itself, nobody does.
 */
export const leave = (connection: unknown): void => {
  if (left.size === 0) process.once("beforeExit", () => process.exit())
  left.add(connection)
}

const Native = Libsql as unknown as new (path: string, options: object) => NativeDatabase

/** SQLite deletes what lies beside an empty file: that would be all that is left of a log that was cut off. */
export const refuseEmptied = (path: string): void => {
  const size = (name: string) => statSync(name, { throwIfNoEntry: false })?.size ?? 0
  if (size(path) > 0 || size(`${path}-wal`) === 0) return
  throw new StorageError({ reason: "corrupt", message: `${path}: ${emptied(path)}` })
}

const emptied = (path: string): string =>
  `${existsSync(path) ? "the file is empty" : "the file is gone"}, and what was written to it last lies beside it still (${path}-wal); nothing was read or written. End what has had it open (context infra serve, sync watch); then put the file back as it was, or restore a backup, which keeps what lies there (context infra restore <backup>); to begin without it, move ${path}-wal away`

const open = (path: string, busyTimeout: number, settings: string): NativeDatabase => {
  refuseEmptied(path.startsWith("file:") ? fileURLToPath(path.replace(/\?.*$/s, "")) : path)
  const database = new Native(path, { timeout: busyTimeout })
  try {
    if (settings !== "") database.exec(settings)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const reasons: Record<string, StorageError["reason"]> = {
  SQLITE_BUSY: "busy",
  SQLITE_LOCKED: "busy",
  SQLITE_FULL: "full",
  SQLITE_CORRUPT: "corrupt",
  SQLITE_NOTADB: "not-a-database",
  ENOSPC: "full",
  EDQUOT: "full",
  EFBIG: "full",
}

const advice: Record<StorageError["reason"], string> = {
  busy: "another process has held the log's lock for too long; try again, or find what holds it",
  full: "the disk is full; nothing was written, and all that was acknowledged is still there; make room and try again",
  corrupt: "the database file is damaged; restore a backup",
  "not-a-database": "the file is not a database; name another with --db or CONTEXT_DB",
  foreign: "the file is a database of some other program; name another with --db or CONTEXT_DB",
  "newer-schema": "the log was written by a newer version of context; upgrade this one",
  "not-enrolled": "this machine's key is not enrolled in this log",
  replaced: "the file was removed, or another was put in its place; start again what has it open",
  unavailable: "the database cannot be used",
}

const onlyRead =
  "the file may only be read here (see whose it is, what its rights and its flags say, and how its disk is mounted); nothing was written"

/** What is said of a write that could not be for the rights of the file or its directory. */
export const refusedBy = (path: string, { fix, found, reason }: Obstacle, cause?: unknown): StorageError =>
  new StorageError({
    reason,
    message: `${found.startsWith(path) ? "" : `${path}: `}${found}; nothing was written: ${fix}`,
    cause,
  })

const readOnly = (path: string, cause: unknown): StorageError => {
  const obstacle = existsSync(path) ? obstacleTo(path) : undefined
  if (obstacle !== undefined) return refusedBy(path, obstacle, cause)
  return new StorageError({ reason: "unavailable", message: `${path}: ${onlyRead}`, cause })
}

/** The code of an error of the system, or of the driver without its extension: `SQLITE_CONSTRAINT_UNIQUE` is `SQLITE_CONSTRAINT`. */
export const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code !== "string") return ""
  // The driver has no name for all of SQLite's extended codes, whose lowest byte is the code itself.
  const [, unknown] = /^UNKNOWN_SQLITE_ERROR_(\d+)$/.exec(code) ?? []
  return unknown === undefined
    ? code.split("_").slice(0, 2).join("_")
    : (primary[Number(unknown) & 0xff] ?? "SQLITE_ERROR")
}

const primary: Record<number, string> = { 5: "SQLITE_BUSY", 8: "SQLITE_READONLY", 14: "SQLITE_CANTOPEN" }

/** What SQLite needs beside a file that is only read is made by its length, and found to have no room when it is used. */
const lacksSpace = (path: string): boolean => existsSync(path) && hasLess(dirname(realpathSync(path)), 64 * 1024)

/** Wraps a driver's error, once. */
export const storageError = (path: string, cause: unknown): StorageError => {
  if (cause instanceof StorageError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  if (codeOf(cause) === "SQLITE_READONLY") return readOnly(path, cause)
  const full = codeOf(cause) === "SQLITE_IOERR" && (/space|full/i.test(message) || lacksSpace(path))
  const reason = full ? "full" : (reasons[codeOf(cause)] ?? "unavailable")
  const detail = reason === "unavailable" ? `: ${message}` : ""
  const found = reason === "corrupt" && hasWal(path) ? damagedTogether : advice[reason]
  return new StorageError({ reason, message: `${path}: ${found}${detail}`, cause })
}

const damagedTogether =
  "the database file is damaged, or was put in the place of another whose -wal lies beside it still; end what has had it open (context infra serve, sync watch), then restore a backup: context infra restore <backup>"

const hasWal = (path: string): boolean => {
  try {
    return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0
  } catch {
    return false
  }
}

/** Whether the driver itself threw it: then it is about the file, not about what was asked. */
export const isDriverError = (error: unknown): boolean => codeOf(error).startsWith("SQLITE")
