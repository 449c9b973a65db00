/** Whether the file at a path is still the one that was opened. SQLite goes on with the one it opened, whatever is there now. */
import { type Stats, statSync } from "node:fs"
import { StorageError } from "@context-engine/core/Errors"
import { type PageOne, PageOneReader } from "./pageOne.js"

export class OpenedFile {
  /** As it was when it was last found to be the same. */
  #opened: Stats | undefined
  /** What its first page said then. */
  #page: PageOne = { isWal: false, changes: 0 }
  #reader: PageOneReader | undefined
  #isCopiedOver = false
  #isDamaged = false
  readonly #since = Date.now()
  #isLookedInto = false

  /** To be made before the file is opened. */
  constructor(readonly path: string) {
    this.#opened = look(path)
  }

  /** To be called once it is known that what is committed goes into a file beside it first. */
  worksInWal(): void {
    this.#page = { ...this.#page, isWal: true }
  }

  /** To be called once it is open, and so there in any case. */
  opened(): void {
    if (this.#opened === undefined) this.#opened = look(this.path)
    else this.check("nothing was done")
  }

  /** Throws `StorageError` "replaced" where another file is there now, or none. `consequence` says what that means. */
  check(consequence = "nothing was read or written"): void {
    if (this.isIt) return
    const [what, then] = this.#whatBecame
    const message = `${this.path}: ${what} while it was open; ${consequence}. Start again what has it open (context infra serve, sync watch)${then}`
    throw new StorageError({ reason: "replaced", message })
  }

  get #whatBecame(): readonly [what: string, then: string] {
    const there = look(this.path)
    if (there === undefined) return ["the file was removed or moved", ""]
    return this.#isSame(there)
      ? ["another file was copied over it", ", and then restore the copy that is wanted (context infra restore)"]
      : ["another file was put in its place", ""]
  }

  #isSame({ dev, ino }: Stats): boolean {
    return ino === this.#opened?.ino && dev === this.#opened.dev
  }

  close(): void {
    this.#reader?.close()
  }

  /** To be called where it was found to be damaged. It may be another that was copied over it: nothing more is written to it. */
  distrust(): void {
    this.#isDamaged = true
  }

  /** Whether what was committed may be taken over into it when it is closed. */
  get isWhole(): boolean {
    return !this.#isDamaged && this.isIt
  }

  /** Whether the file that was opened is there, and nobody but SQLite has written to it since. */
  get isIt(): boolean {
    if (this.#isCopiedOver) return false
    const there = look(this.path)
    if (there === undefined || !this.#isSame(there)) return false
    const isAsItWas = there.mtimeMs === this.#opened?.mtimeMs && there.size === this.#opened.size
    // Who is done by then need not have looked.
    if (isAsItWas && (this.#isLookedInto || Date.now() - this.#since < 1_000)) return true
    const { changes, isWal } = this.#page
    // An empty one was just begun, or is just being written over.
    if (there.size === 0) return !isWal
    this.#reader ??= new PageOneReader(this.path)
    const page = this.#reader.read()
    // There is no way to look into it now.
    if (page === undefined) return true
    // SQLite writes to it when it takes over what was committed, and then its count of changes never falls; and a log that is worked on
    // is in WAL mode, which a backup is not.
    this.#isCopiedOver = (isWal && !page.isWal) || page.changes < changes
    if (this.#isCopiedOver) return false
    this.#opened = there
    this.#page = page
    this.#isLookedInto = true
    return true
  }
}

const look = (path: string): Stats | undefined => {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // Its directory is none any more, or must not be looked into.
    return undefined
  }
}
