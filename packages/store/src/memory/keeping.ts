/** When what this machine remembers of an open log is held against it, and written: at the beginning, at the end, and now and then. */
import type { Loss } from "@context-engine/core/services/Audit"
import type { Connection } from "../connection.js"
import { lossByCut } from "../cut.js"
import { type LastSeen, LogMemory, type MemoryOptions } from "./LogMemory.js"
import type { KeptRoot } from "./roots.js"

/** A writer of many events a second must not wait for a file for each of them. In milliseconds. */
const pause = 1_000

/** The memory of one log while it is open. `read` runs a body on a connection to it. */
export class Keeping {
  readonly #memory: LogMemory | undefined
  #isNews = false
  #wasNews = false
  #timer: NodeJS.Timeout | undefined

  constructor(
    readonly path: string,
    options: MemoryOptions | undefined,
    readonly read: <A>(body: (connection: Connection) => A) => A,
  ) {
    this.#memory = options && new LogMemory(path, options)
  }

  /** To be called when the log was opened, with what it is then. */
  open(now: LastSeen): void {
    const memory = this.#memory
    if (memory === undefined || memory.isAsSeen(now)) return
    this.#isNews = this.read((connection) => memory.open(connection))
  }

  /** To be called after every commit: whatever is remembered was committed before. */
  readonly written = (): void => {
    if (this.#memory === undefined) return
    this.#isNews = true
    this.#timer ??= setTimeout(() => this.#keep(), pause).unref()
  }

  /** By what is remembered, else by the file itself. */
  look(): Loss | null {
    return this.read((connection) => this.#memory?.look(connection) ?? lossByCut(this.path, connection))
  }

  accept(): Loss | null {
    const memory = this.#memory
    return memory === undefined ? null : this.read((connection) => memory.accept(connection))
  }

  missingRoots(): ReadonlyArray<KeptRoot> {
    const memory = this.#memory
    return memory === undefined ? [] : this.read((connection) => memory.missingRoots(connection))
  }

  close(): void {
    if (this.#isNews || this.#wasNews) this.#keep()
    clearTimeout(this.#timer)
  }

  #keep(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isNews = false
    // How far the file had come by itself is told at the end, when all was taken over into it.
    this.#wasNews = true
    const memory = this.#memory
    if (memory === undefined) return
    try {
      this.read((connection) => memory.keep(connection))
    } catch {
      // It only lags: the log itself is whole. That nothing can be written there is what doctor tells.
    }
  }
}
