/** The baseline: the same events into the same table by prepared statements alone; no checks, no hash, no rows. */
import { createRequire } from "node:module"
import type { StreamAppend } from "@context-engine/core/EventLog"

interface Native {
  exec(sql: string): void
  prepare(sql: string): {
    run(...params: ReadonlyArray<unknown>): unknown
    all(...params: ReadonlyArray<unknown>): ReadonlyArray<any>
    raw(): any
  }
  close(): void
}

export const open = (path: string): Native =>
  new (createRequire(import.meta.url)("libsql") as new (path: string) => Native)(path)

const table = `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
CREATE TABLE events (
  position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, stream TEXT NOT NULL, version INTEGER NOT NULL,
  type TEXT NOT NULL, schema INTEGER NOT NULL, data TEXT NOT NULL, meta TEXT NOT NULL, occurred_at TEXT NOT NULL,
  recorded_at TEXT NOT NULL, hash TEXT NOT NULL, signature TEXT, UNIQUE (stream, version)) STRICT`

const row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

/** Writes events, one a commit or many in statements of 50 rows. */
export const makeRaw = (path: string) => {
  const database = open(path)
  database.exec(table)
  const one = database.prepare(`INSERT INTO events VALUES ${row}`)
  const fifty = database.prepare(`INSERT INTO events VALUES ${Array(50).fill(row).join(", ")}`)
  let position = 0
  const params = ({ events, stream }: StreamAppend): ReadonlyArray<unknown> => {
    const event = events[0]!
    position += 1
    const texts = [JSON.stringify(event.data), JSON.stringify(event.meta)]
    return [
      position,
      event.id,
      stream,
      position,
      event.type,
      1,
      ...texts,
      event.occurredAt,
      event.occurredAt,
      hash,
      null,
    ]
  }
  return {
    one: (append: StreamAppend) => void one.run(params(append)),
    batch: (appends: ReadonlyArray<StreamAppend>) => {
      database.exec("BEGIN IMMEDIATE")
      for (let i = 0; i < appends.length; i += 50) fifty.run(appends.slice(i, i + 50).flatMap(params))
      database.exec("COMMIT")
    },
    close: () => database.close(),
  }
}

const hash = "0".repeat(64)
