/** Follows a file on a host, through rotation and through every break of the link. */
import * as Effect from "effect/Effect"
import { OperationFailed, type RemoteError, type StorageError } from "../../Errors.js"
import * as Id from "../../Id.js"
import type { ServerRow } from "../../views/servers.js"
import type { Hosts } from "../Hosts.js"
import { reconnecting } from "../reconnecting.js"
import { Bookmark } from "./bookmark.js"
import { followFile as followFileScript } from "./fileScript.js"
import { MarkedReader, type Piece } from "./marked.js"

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
    const token = yield* Id.make
    bookmark.reconnect()
    const marked = new MarkedReader(token)
    let refused: OperationFailed | undefined
    const take = (piece: Piece): Effect.Effect<void> => {
      if (piece instanceof Uint8Array) {
        bookmark.advance(piece)
        return onBytes(piece)
      }
      const [word, inode = "", offset, mark = ""] = piece
      if (word === "at") bookmark.begin(inode, Number(offset), mark)
      if (word === "none" || word === "denied") refused = notRead(server, path, word)
      if (word !== "gap") return Effect.void
      bookmark.lose()
      return onNews?.("gap") ?? Effect.void
    }
    const result = yield* hosts.run(server, {
      script: followFileScript,
      args: [path, String(lines), follow ? "1" : "", ...bookmark.place],
      input: `${token}\n`,
      timeout: 2 ** 31 - 1,
      maxOutput: 0,
      onOutput: ({ data, stream }) =>
        Effect.zipRight(
          heard,
          stream === "stderr"
            ? Effect.void
            : // What counts as read has been given, and the other way round.
              Effect.uninterruptible(Effect.suspend(() => all(marked.push(data), take))),
        ),
    })
    if (refused !== undefined) return yield* refused
    if (result.exitCode !== 0 || follow) return yield* stopped(server, path)
  })

/** Mostly there is one, and there are very many of them. */
const all = (pieces: ReadonlyArray<Piece>, take: (piece: Piece) => Effect.Effect<void>): Effect.Effect<void> => {
  const [only] = pieces
  return only !== undefined && pieces.length === 1 ? take(only) : Effect.forEach(pieces, take, { discard: true })
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
