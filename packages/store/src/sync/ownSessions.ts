/**
 * The sessions in which this machine's key wrote from here, in a small file beside the key. What the shared log has of the key in another
 * one was written somewhere else: where a copy of the disk is used. Nothing waits for the disk, and nobody stops where it cannot be written.
 */
import { appendFileSync, readFileSync, statSync } from "node:fs"
import { writeWhole } from "../files.js"
import type { EventRow } from "../record.js"
import { chainOf } from "../trust/chain.js"
import { isKeyLine } from "../trust/keys.js"

/** The file may have so many bytes; then its older half is forgotten. */
const most = 256 * 1024

export class OwnSessions {
  readonly #known = new Set<string>()
  readonly #since = new Map<string, number>()

  constructor(readonly path: string) {
    this.#read()
  }

  /** Up to which position of a log nobody asks whose its sessions are; `undefined` where none of it was read to its end yet. */
  since(logId: string): number | undefined {
    return this.#since.get(logId)
  }

  /** From that position of a log on it is known what was written from here. */
  begin(logId: string, position: number): void {
    this.#since.set(logId, position)
    this.#append([`since ${logId} ${position}`])
  }

  /** Whether it was from here. Another process may have begun one since the file was read. */
  has(session: string): boolean {
    if (!this.#known.has(session)) this.#read()
    return this.#known.has(session)
  }

  /** To be called before rows of this key are shared: whoever reads them there finds their sessions here. */
  note(key: string, rows: ReadonlyArray<EventRow>): void {
    const chains = rows.map(chainOf).filter((chain) => chain?.key === key)
    const found = new Set(chains.map((chain) => chain?.session as string))
    const fresh = [...found].filter((session) => !this.#known.has(session))
    for (const session of fresh) this.#known.add(session)
    this.#append(fresh.map((session) => `session ${session}`))
  }

  #read(): void {
    for (const line of textOf(this.path).split("\n")) {
      const [what, name = "", position] = line.split(" ")
      if (what === "session") this.#known.add(name)
      else if (what === "since" && /^\d+$/.test(position ?? "")) this.#since.set(name, Number(position))
    }
  }

  #append(lines: ReadonlyArray<string>): void {
    if (lines.length === 0) return
    try {
      if ((statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) > most) this.#forgetOlder()
      appendFileSync(this.path, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 })
    } catch {
      // A copy would go unnoticed here, which the place that comes second tells all the same.
    }
  }

  #forgetOlder(): void {
    const lines = textOf(this.path)
      .split("\n")
      .filter((line) => line.startsWith("session "))
    const kept = lines.slice(Math.floor(lines.length / 2))
    const since = [...this.#since].map(([logId, position]) => `since ${logId} ${position}`)
    writeWhole(this.path, `${[...since, ...kept].join("\n")}\n`)
  }
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/** Those of a machine whose key is in a file. A job's key is in many places by design. */
export const ownSessions = (keyPath: string | undefined): OwnSessions | undefined =>
  keyPath === undefined || isKeyLine(keyPath) ? undefined : new OwnSessions(`${keyPath}.sessions`)
