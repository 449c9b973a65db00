/** What must hold of a log's file, whatever happened to the processes that wrote it. */
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readlinkSync } from "node:fs"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { canonicalJson } from "@context-engine/core/CanonicalJson"
import { Fold } from "@context-engine/core/Fold"
import { projections } from "@context-engine/core/views/all"
import { type Connection, NativeConnection } from "../../src/connection.js"
import { columns, decode, type EventRow, genesis, hashOf, matchesDigest } from "../../src/record.js"
import { tables } from "../../src/tables.js"

/** An event as its writer was told of it. */
export type Acknowledged = readonly [id: string, position: number]

/** Walks a log once, and goes on where it left off: a log that grows is verified at the cost of what is new. */
export class Verifier {
  /** What does not hold, in words. */
  readonly problems: Array<string> = []
  position = 0
  hash = genesis
  #recordedAt = ""
  #positions = new Map<string, number>()
  #versions = new Map<string, number>()
  #fold = new Fold(projections)
  /** What is left of the append that is being read. */
  #open = { commandId: "", left: 0 }

  /** Verifies what is new, in one snapshot. */
  readonly advance = (connection: Connection): void => {
    connection.exec("BEGIN")
    try {
      const page = `SELECT ${columns} FROM events WHERE position > ? ORDER BY position LIMIT 1000`
      for (;;) {
        const rows = connection.prepare(page).all(this.position) as ReadonlyArray<EventRow>
        for (const row of rows) this.#event(row)
        if (rows.length < 1000) break
      }
      if (this.#open.left > 0) this.problems.push(`the append ${this.#open.commandId} is there by half`)
      const checkpoint = connection.prepare("SELECT position FROM checkpoint").all()
      if (checkpoint.length !== 1 || checkpoint[0][0] !== this.position) {
        this.problems.push(`the checkpoint is ${JSON.stringify(checkpoint)}, the head ${this.position}`)
      }
    } finally {
      connection.exec("ROLLBACK")
    }
  }

  /** Every acknowledged event is there, at its place. That none is there twice was seen on the way. */
  acknowledged(events: Iterable<Acknowledged>): void {
    for (const [id, position] of events) {
      const found = this.#positions.get(id)
      if (found !== position) this.problems.push(`event ${id} was acknowledged at ${position}, and is at ${found}`)
    }
  }

  /** The rows of every table are those that the events make. */
  rows(connection: Connection): void {
    for (const table of tables) {
      const expected = new Map(this.#fold.rows(table))
      for (const [json] of connection.prepare(`SELECT ${table.rowAsJson} FROM "${table.name}"`).all()) {
        const row = JSON.parse(json)
        const folded = expected.get(row.id)
        if (folded === undefined || canonicalJson(folded) !== canonicalJson(row)) {
          this.problems.push(`the row ${row.id} of ${table.name} is not what its events make`)
        }
        expected.delete(row.id)
      }
      for (const id of expected.keys()) this.problems.push(`the row ${id} of ${table.name} is missing`)
    }
  }

  #event(row: EventRow): void {
    const [position, id, stream, version, , , , , , recordedAt, hash] = row
    const wrong = (what: string) => this.problems.push(`position ${position}: ${what}`)
    if (position !== this.position + 1) wrong(`follows ${this.position}`)
    if (hashOf(this.hash, row) !== hash) wrong("the hash does not hold")
    if (!matchesDigest(row)) wrong("the hash of the data does not hold")
    if (this.#positions.has(id)) wrong(`event ${id} is there twice`)
    if (version !== (this.#versions.get(stream) ?? 0) + 1) wrong(`version ${version} of ${stream} is out of turn`)
    if (recordedAt < this.#recordedAt) wrong("recorded before the event before it")
    const event = decode(row)
    this.#part(event.meta, wrong)
    this.#fold.apply(event)
    this.#positions.set(id, position)
    this.#versions.set(stream, version)
    this.#recordedAt = recordedAt
    this.position = position
    this.hash = hash
  }

  /** The events of an append stand together, all of them. */
  #part(meta: { readonly commandId: string; readonly cause?: string }, wrong: (what: string) => void): void {
    const { commandId, left } = this.#open
    if (left > 0 && meta.commandId !== commandId) wrong(`the append ${commandId} lacks its last ${left} events`)
    const before = meta.commandId === commandId ? left : Number(meta.cause ?? 1)
    if (before === 0) wrong(`the append ${commandId} has more events than it had`)
    this.#open = { commandId: meta.commandId, left: Math.max(0, before - 1) }
  }
}

/** What SQLite itself says about the file; nothing if it is sound. */
export const integrityProblems = (connection: Connection): ReadonlyArray<string> =>
  connection
    .prepare("PRAGMA integrity_check")
    .all()
    .map(([line]) => String(line))
    .filter((line) => line !== "ok")

/** A digest of all that is in the log and its rows, but for `recorded_at`, which no hash covers. */
export const digestOf = (connection: Connection): string => {
  const digest = createHash("sha256")
  const add = (rows: ReadonlyArray<unknown>) => digest.update(JSON.stringify(rows))
  add(connection.prepare(`SELECT ${columns.replace("recorded_at, ", "")} FROM events ORDER BY position`).all())
  add(connection.prepare("SELECT position FROM checkpoint").all())
  for (const { name } of tables) add(connection.prepare(`SELECT * FROM "${name}" ORDER BY id`).all())
  return digest.digest("hex")
}

/** Opens a file past our layers, as an auditor would. */
export const withConnection = <A>(path: string, use: (connection: NativeConnection) => A): A => {
  const connection = new NativeConnection(path, 5_000)
  try {
    return use(connection)
  } finally {
    connection.close()
  }
}

/**
 * Waits until this process holds the file no more. The driver closes a connection only when its statements are collected,
 * and until then it keeps the log's shared memory alive: nothing that is meant to happen after everyone is gone would.
 */
export const released = async (path: string): Promise<void> => {
  const isOpen = (fd: string) => {
    try {
      const name = readlinkSync(`/proc/self/fd/${fd}`)
      // What is held beside it is a lock, and no part of it.
      return name.startsWith(path) && !/-(watch|sync)(-journal)?$/.test(name)
    } catch {
      return false
    }
  }
  for (let tries = 0; tries < 200; tries++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
    if (existsSync("/proc/self/fd") ? !readdirSync("/proc/self/fd").some(isOpen) : tries > 3) return
  }
  throw new Error(`${path} is still open`)
}

const collect = (): void => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc")()
}

/** Everything that does not hold of a log that was written by `appends.ts`. */
export const problemsOf = (path: string, acknowledged: Iterable<Acknowledged> = []): ReadonlyArray<string> =>
  withConnection(path, (connection) => {
    const verifier = new Verifier()
    verifier.advance(connection)
    verifier.acknowledged(acknowledged)
    verifier.rows(connection)
    return [...verifier.problems, ...integrityProblems(connection)]
  })
