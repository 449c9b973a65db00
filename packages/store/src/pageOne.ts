/** What stands in a file of SQLite by itself, whoever has it open: in its first page, and of how far it has come. */
import { realpathSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { NativeConnection } from "./connection.js"
import { type Written, writtenOf, writtenQuery } from "./thisFile.js"

/** https://www.sqlite.org/fileformat2.html#the_database_header */
export interface PageOne {
  /** Whether what is committed goes into a file beside it first. */
  readonly isWal: boolean
  /** How often it was written: it never falls. */
  readonly changes: number
  /** How far it has come; `undefined` where that cannot be told now. */
  readonly come: Written | undefined
}

/**
 * Looks at the file as it is by itself, without what lies beside it. SQLite itself looks, and takes no lock: to open and
 * close the file past it would take away the locks of this process.
 */
export class PageOneReader {
  readonly #connection: NativeConnection

  constructor(path: string) {
    this.#connection = new NativeConnection(`${pathToFileURL(realpathSync(path)).href}?mode=ro&immutable=1`, 0, "")
  }

  /** Nothing where there is none that can be read. */
  read(): PageOne | undefined {
    try {
      // It keeps what it has read; and while others take over what was committed, the file is shorter than it says.
      this.#connection.exec("PRAGMA writable_schema = ON; PRAGMA shrink_memory")
      const sql = "SELECT hex(substr(data, 19, 1)), hex(substr(data, 25, 4)) FROM sqlite_dbpage WHERE pgno = 1"
      const [[mode, changes] = []] = this.#connection.prepare(sql).all()
      if (mode === undefined) return undefined
      return { isWal: mode === "02", changes: Number.parseInt(changes, 16), come: this.#come() }
    } catch {
      return undefined
    }
  }

  /** All rows: a statement that was not gone through to its end would go on seeing what it saw. */
  #come(): Written | undefined {
    return writtenOf(() => this.#connection.prepare(writtenQuery).all()[0])
  }

  close(): void {
    this.#connection.close()
  }
}

/** One look. */
export const pageOneOf = (path: string): PageOne | undefined => {
  const reader = new PageOneReader(path)
  try {
    return reader.read()
  } finally {
    reader.close()
  }
}
