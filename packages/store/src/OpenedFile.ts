/** Whether the file at a path is still the one that was opened. SQLite goes on with the one it opened, whatever is there now. */
import { type Stats, statSync } from "node:fs"
import { StorageError } from "@context-engine/core/Errors"

export class OpenedFile {
  #opened: Stats | undefined

  /** To be made before the file is opened. */
  constructor(readonly path: string) {
    this.#opened = look(path)
  }

  /** To be called once it is open, and so there in any case. */
  opened(): void {
    if (this.#opened === undefined) this.#opened = look(this.path)
    else this.check("nothing was done")
  }

  /** Throws `StorageError` "replaced" where another file is there now, or none. `consequence` says what that means. */
  check(consequence = "nothing was read or written"): void {
    if (this.isThere) return
    const what = look(this.path) === undefined ? "the file was removed or moved" : "another file was put in its place"
    const message = `${this.path}: ${what} while it was open; ${consequence}. Start again what has it open (context infra serve, sync watch)`
    throw new StorageError({ reason: "replaced", message })
  }

  get isThere(): boolean {
    const there = look(this.path)
    return there !== undefined && there.ino === this.#opened?.ino && there.dev === this.#opened.dev
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
