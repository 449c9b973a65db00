/** What stands in the first page of a file of SQLite, whoever has it open. */
import { realpathSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { NativeConnection } from "./connection.js"

/** https://www.sqlite.org/fileformat2.html#the_database_header */
export interface PageOne {
  /** Whether what is committed goes into a file beside it first. */
  readonly isWal: boolean
  /** How often it was written: it never falls. */
  readonly changes: number
}

/** The first page as it is in the file itself, without what lies beside it. Nothing where there is none that can be read. */
export const pageOneOf = (path: string): PageOne | undefined => {
  // SQLite itself looks, and takes no lock: to open and close the file past it would take away the locks of this process.
  const connection = new NativeConnection(`${pathToFileURL(realpathSync(path)).href}?mode=ro&immutable=1`, 0, "")
  try {
    const sql = "SELECT hex(substr(data, 19, 1)), hex(substr(data, 25, 4)) FROM sqlite_dbpage WHERE pgno = 1"
    const [mode, changes] = connection.prepare(sql).get() ?? []
    return mode === undefined ? undefined : { isWal: mode === "02", changes: Number.parseInt(changes, 16) }
  } catch {
    return undefined
  } finally {
    connection.close()
  }
}
