/** Files of lines, read and written piece by piece. */
import { createReadStream, createWriteStream } from "node:fs"
import { createInterface } from "node:readline"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { type InvalidInput, StorageError } from "@context-engine/core/Errors"
import { makeWhole } from "@context-engine/store/copies"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** The lines of a file, or of standard input for `-`, without their ends. */
export const readLines = (path: string): Stream.Stream<string, StorageError> =>
  Stream.fromAsyncIterable(
    createInterface({
      input: path === "-" ? process.stdin.setEncoding("utf8") : createReadStream(path, "utf8"),
      crlfDelay: Number.POSITIVE_INFINITY,
    }),
    (cause) => unusable(path, cause),
  )

/** Writes lines into a new file, which gets its name when it is whole, and gives how many there were. */
export const writeLines = <E>(
  path: string,
  lines: Stream.Stream<string, E>,
): Effect.Effect<number, StorageError | InvalidInput | E> =>
  makeWhole(path, (draft) =>
    Effect.gen(function* () {
      let count = 0
      const counted = Stream.map(lines, (line) => {
        count += 1
        return `${line}\n`
      })
      const source = yield* Stream.toReadableStreamEffect(counted)
      yield* Effect.tryPromise({
        try: () => pipeline(Readable.fromWeb(source as never), createWriteStream(draft, { flags: "wx", mode: 0o600 })),
        catch: (cause) => unusable(path, cause),
      })
      return count
    }),
  )

const unusable = (path: string, cause: unknown) =>
  new StorageError({ reason: "unavailable", message: `${path}: ${reasonOf(cause)}`, cause })

const reasons: Record<string, string> = {
  ENOENT: "there is no such file",
  EACCES: "it may not be opened",
  EISDIR: "it is a directory",
  ENOSPC: "the disk is full",
}

const reasonOf = (cause: unknown): string => {
  const { code, message } = cause as NodeJS.ErrnoException
  return reasons[code ?? ""] ?? message
}
