/** Whether the file at a path is still the one that was opened. SQLite goes on with the one it opened, whatever is there now. */
import { existsSync, realpathSync, rmSync, type Stats, statSync } from "node:fs"
import { StorageError } from "@context-engine/core/Errors"
import { codeOf } from "./connection.js"
import { takeAway } from "./files.js"
import { type PageOne, PageOneReader } from "./pageOne.js"
import { isOlder, nothing, type Written } from "./thisFile.js"

export class OpenedFile {
  /** As it was when it was last found to be the same. */
  #opened: Stats | undefined
  /** What lies beside it, once it is known to; `undefined` where nothing does. */
  #beside: Stats | undefined
  #wal = ""
  /** Until when it counts as the one that was there. */
  #besideUntil = 0
  /** What it said by itself then. */
  #page: PageOne = { isWal: false, changes: 0, come: undefined }
  /** How far it had come with what lies beside it. */
  #together: Written = nothing
  /** Whether it was written to since it was last asked whether all is in it. */
  #mayBeAllTaken = true
  #reader: PageOneReader | undefined
  #isCopiedOver = false
  #damage: StorageError | undefined
  readonly #since = Date.now()
  #isLookedInto = false

  /** To be made before the file is opened. */
  constructor(readonly path: string) {
    this.#opened = look(path)
  }

  /** To be called with how far it has come by itself. */
  hasCome(come: Written | undefined): void {
    this.#page = { ...this.#page, come }
  }

  /** To be called once it is known that what is committed goes into a file beside it first, and that is there. */
  worksInWal(): void {
    this.#wal = `${realPath(this.path)}-wal`
    this.#page = { ...this.#page, isWal: true }
    this.#beside = look(this.#wal)
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

  /** Throws like `check`, also where what was read of it now, with what lies beside it, is older than what was read before. */
  goesOn(now: Written | undefined): void {
    if (now !== undefined && [this.#together, this.#page.come ?? nothing].some((before) => isOlder(now, before)))
      this.#isCopiedOver = true
    if (this.#isCopiedOver) this.check()
  }

  /** To be called with how far it has come, when something was committed. */
  wentOn(now: Written | undefined): void {
    if (now !== undefined) this.#together = now
  }

  /** Whether nothing lies beside it; asked by who holds it. Where it was not written to since that was asked, it is not looked at again. */
  isAllTaken(): boolean {
    if (!this.#mayBeAllTaken) return false
    this.#mayBeAllTaken = false
    return (look(`${realPath(this.path)}-wal`)?.size ?? 0) === 0
  }

  /** Throws where it was found to be damaged since it was opened. */
  checkDamage(): void {
    if (this.#damage !== undefined) throw this.#damage
  }

  get #whatBecame(): readonly [what: string, then: string] {
    const there = look(this.path)
    if (there === undefined) return ["the file was removed or moved", ""]
    if (!this.#isSame(there, this.#opened)) return ["another file was put in its place", ""]
    return this.#hasItsWal
      ? ["another file was copied over it", ", and then restore the copy that is wanted (context infra restore)"]
      : [`what was written to it last (${this.#wal}) was removed or replaced`, ""]
  }

  #isSame({ dev, ino }: Stats, before: Stats | undefined): boolean {
    return ino === before?.ino && dev === before.dev
  }

  /** Nobody but the last that has a log open takes away what lies beside it. */
  get #hasItsWal(): boolean {
    if (this.#wal === "") return true
    if (!existsSync(this.#wal)) return this.#beside === undefined
    // What is asked of a file that is being written takes ten times as long as whether it is there.
    const now = performance.now()
    if (now < this.#besideUntil) return true
    const there = look(this.#wal)
    this.#beside ??= there
    const isSame = this.#beside === undefined || (there !== undefined && this.#isSame(there, this.#beside))
    if (isSame) this.#besideUntil = now + 100
    return isSame
  }

  /** Takes it away, with what lies beside it. Where another was put in its place, that stays, and only what is beside it by us goes. */
  takeAway(): void {
    this.#besideUntil = 0
    const wal = this.#hasItsWal
    if (look(this.path) !== undefined) takeAway(this.path, (there) => this.#isSame(there, this.#opened))
    if (wal) for (const end of ["-wal", "-shm"]) rmSync(realPath(this.path) + end, { force: true })
  }

  close(): void {
    this.#reader?.close()
  }

  /**
   * To be called with what was found by whoever works on it. Where it is damaged it may be another that was copied over it, or what lies
   * beside it was cut: nothing more of that is taken over into it.
   */
  found(error: StorageError): void {
    const isDamage =
      error.reason === "corrupt" || error.reason === "not-a-database" || codeOf(error.cause) === "SQLITE_IOERR"
    if (isDamage && error.reason !== "full") this.#damage ??= error
  }

  /** Whether what was committed may be taken over into it when it is closed. */
  get isWhole(): boolean {
    return this.#damage === undefined && this.isIt
  }

  /** Whether the file that was opened is there, with what lies beside it, and nobody but SQLite has written to it since. */
  get isIt(): boolean {
    if (this.#isCopiedOver) return false
    const there = look(this.path)
    if (there === undefined || !this.#isSame(there, this.#opened) || !this.#hasItsWal) return false
    const isAsItWas = there.mtimeMs === this.#opened?.mtimeMs && there.size === this.#opened.size
    // Who is done by then need not have looked.
    if (isAsItWas && (this.#isLookedInto || Date.now() - this.#since < 1_000)) return true
    // One without a table was just begun, or is just being written over.
    if (there.size <= onePage)
      return (this.#page.come ?? nothing).file === "" && !(there.size === 0 && this.#page.isWal)
    this.#mayBeAllTaken = true
    const page = this.#lookInto()
    // There is no way to look into it now.
    if (page === undefined) return true
    this.#isCopiedOver = this.#isAnother(page)
    if (this.#isCopiedOver) return false
    this.#opened = there
    this.#page = { ...page, come: page.come ?? this.#page.come }
    this.#isLookedInto = true
    return true
  }

  #lookInto(): PageOne | undefined {
    this.#reader ??= new PageOneReader(this.path)
    const page = this.#reader.read()
    // What was no table when it was opened, it does not find later.
    if (page?.come === undefined || page.come.file === "") {
      this.close()
      this.#reader = undefined
    }
    return page
  }

  /**
   * SQLite writes to it when it takes over what was committed: then neither its count of changes nor that of ours ever falls; and a log
   * that is worked on is in WAL mode, which a backup is not.
   */
  #isAnother(page: PageOne): boolean {
    const { changes, come, isWal } = this.#page
    if ((isWal && !page.isWal) || page.changes < changes) return true
    return page.come !== undefined && come !== undefined && isOlder(page.come, come)
  }
}

/** Where SQLite works beside it. */
const realPath = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** What a log's file has before anything was taken over into it, in bytes. */
const onePage = 4096

const look = (path: string): Stats | undefined => {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // Its directory is none any more, or must not be looked into.
    return undefined
  }
}
