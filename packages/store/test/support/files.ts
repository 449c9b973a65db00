/** Database files in throw-away directories, and what any SQLite program would see in them. */
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { audited } from "./audited.js"

const made: Array<string> = []
process.once("exit", () => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

/** A path for a database that does not exist yet. It is audited when the test is over, and gone when all are. */
export const freshPath = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "context-store-"))
  made.push(directory)
  return audited(join(directory, "infra.db"))
}

/** Runs SQL on a file as some other program would, past our code but not past the file's own triggers. */
export const withSqlite = <A>(path: string, use: (database: RawDatabase) => A): A => {
  const Native = createRequire(import.meta.url)("libsql") as new (path: string) => RawDatabase & { close(): void }
  const database = new Native(path)
  try {
    return use(database)
  } finally {
    database.close()
  }
}

interface RawDatabase {
  exec(sql: string): void
  prepare(sql: string): { all(...params: ReadonlyArray<unknown>): ReadonlyArray<any>; get(): any }
}
