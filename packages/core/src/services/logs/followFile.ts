/** Follows a file on a host, through rotation and through every break of the link. */
import * as Effect from "effect/Effect"
import { OperationFailed, type RemoteError, type StorageError } from "../../Errors.js"
import * as Id from "../../Id.js"
import type { ServerRow } from "../../views/servers.js"
import type { Hosts } from "../Hosts.js"
import { reconnecting } from "../reconnecting.js"
import { followFile as script } from "./scripts.js"

/** What a reader of a log gets: its bytes in order, and the news of the link and of the log itself. */
export interface LogSink {
  readonly onBytes: (bytes: Uint8Array) => Effect.Effect<void>
  /** `gap`: something was rotated away and is not there any more. `down`, `up`: the link. */
  readonly onNews?: (news: "gap" | "down" | "up", detail?: string) => Effect.Effect<void>
}

export interface ReadOptions {
  /** How many of the last lines to begin with. */
  readonly lines: number | "all"
  readonly follow: boolean
  /** Milliseconds to go on trying to reach the host. Default 30 minutes. */
  readonly patience?: number | undefined
}

/** Where a reader is: in a file, after some bytes. */
class Bookmark {
  offset: number | undefined
  #before: Uint8Array = new Uint8Array(0)
  /** Bytes of this connection so far, and where in them the file began. */
  #total = 0
  readonly #begins: Array<readonly [byte: number, offset: number]> = []

  /** A new connection counts from nothing. */
  reconnect(): void {
    this.#total = 0
    this.#begins.length = 0
  }

  /** From this byte of the connection on, it is this offset of a file. */
  begin(byte: number, offset: number): void {
    if (byte > this.#total) return void this.#begins.push([byte, offset])
    // It may have been told late: what came since is the file's first.
    const since = this.#total - byte
    this.#enter(offset)
    this.offset = offset + since
    this.#before = since === 0 ? this.#before : this.#before.slice(-since)
  }

  get known(): boolean {
    return this.offset !== undefined
  }

  advance(bytes: Uint8Array): void {
    let rest = bytes
    for (;;) {
      const next = this.#begins.find(([byte]) => byte > this.#total && byte <= this.#total + rest.length)
      const part = next === undefined ? rest : rest.subarray(0, next[0] - this.#total)
      this.#total += part.length
      this.offset = (this.offset ?? 0) + part.length
      this.#before = joined(this.#before, part).slice(-256)
      if (next === undefined) return
      this.#enter(next[1])
      rest = rest.subarray(part.length)
    }
  }

  /** The bytes before it, in hex. */
  get mark(): string {
    return Array.from(this.#before, (byte) => byte.toString(16).padStart(2, "0")).join("")
  }

  #enter(offset: number): void {
    if (offset !== this.offset) this.#before = new Uint8Array(0)
    this.offset = offset
  }
}

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  if (b.length >= 256) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

export type ReadError = RemoteError | StorageError | OperationFailed

/** Reads the end of a file and, if asked, whatever is added to it, for ever. Every byte comes once and in order. */
export const followFile = (
  hosts: Hosts["Type"],
  server: ServerRow,
  path: string,
  options: ReadOptions,
  sink: LogSink,
): Effect.Effect<void, ReadError> =>
  Effect.gen(function* () {
    const bookmark = new Bookmark()
    const once = (heard: Effect.Effect<void>) => readOnce(hosts, server, path, options, bookmark, { ...sink, heard })
    if (!options.follow) return yield* once(Effect.void)
    yield* reconnecting(once, { onNews: sink.onNews, patience: options.patience })
  })

interface Listening extends LogSink {
  readonly heard: Effect.Effect<void>
}

const readOnce = (
  hosts: Hosts["Type"],
  server: ServerRow,
  path: string,
  { follow, lines }: ReadOptions,
  bookmark: Bookmark,
  { heard, onBytes, onNews }: Listening,
): Effect.Effect<void, ReadError> =>
  Effect.gen(function* () {
    const token = `log-${yield* Id.make}`
    const resume = bookmark.known ? [String(bookmark.offset), bookmark.mark] : ["", ""]
    bookmark.reconnect()
    let entered = false
    let refused: OperationFailed | undefined
    let waiting: Array<Uint8Array> = []
    const take = (bytes: Uint8Array) =>
      Effect.suspend(() => {
        bookmark.advance(bytes)
        return onBytes(bytes)
      }).pipe(Effect.uninterruptible)
    const said = lineReader((line) => {
      const [word, ...numbers] = line.startsWith(`${token} `) ? line.slice(token.length + 1).split(" ") : []
      if (word === "gap") return onNews?.("gap") ?? Effect.void
      if (word === "none" || word === "denied") refused = notRead(server, path, word)
      if (word !== "file") return Effect.void
      const [offset = 0, byte = 0] = numbers.map(Number)
      bookmark.begin(byte, offset)
      entered = true
      const held = waiting
      waiting = []
      return Effect.forEach(held, take, { discard: true })
    })
    const result = yield* hosts.run(server, {
      script,
      args: [token, path, String(lines), follow ? "1" : "", ...resume],
      timeout: 2 ** 31 - 1,
      maxOutput: 0,
      onOutput: ({ data, stream }) => {
        const act = stream === "stderr" ? said(data) : entered ? take(data) : Effect.sync(() => void waiting.push(data))
        return Effect.zipRight(heard, act)
      },
    })
    if (refused !== undefined) return yield* refused
    if (result.exitCode !== 0 || follow) return yield* stopped(server, path)
  })

/** Gives each whole line of some bytes to `each`. */
const lineReader = (each: (line: string) => Effect.Effect<void>) => {
  let open = ""
  const decoder = new TextDecoder()
  return (bytes: Uint8Array): Effect.Effect<void> => {
    const lines = (open + decoder.decode(bytes, { stream: true })).split("\n")
    open = (lines.pop() ?? "").slice(-4096)
    return Effect.forEach(lines, each, { discard: true })
  }
}

const notRead = (server: ServerRow, path: string, why: "none" | "denied") =>
  new OperationFailed({
    operation: "logs",
    message:
      why === "none"
        ? `there is no log ${path} on ${server.name}`
        : `the log ${path} on ${server.name} may not be read by that login`,
    next:
      why === "none" ? "set it: context infra service update <service> --log <path>" : "let that user read it there",
  })

const stopped = (server: ServerRow, path: string) =>
  new OperationFailed({
    operation: "logs",
    message: `reading ${path} on ${server.name} came to an end by itself`,
    next: "is the file still there, and may it be read?",
  })
