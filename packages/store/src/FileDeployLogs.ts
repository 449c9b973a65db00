/** What deployments printed, one compressed file each in a directory beside the database. */
import { createWriteStream, mkdirSync, renameSync } from "node:fs"
import { copyFile, mkdir, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { promisify } from "node:util"
import { createGzip, gunzip } from "node:zlib"
import { DeployLogs } from "@context-engine/core/DeployLogs"
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Where the texts of the database at `path` are. */
export const directoryOf = (path: string): string => `${path}-logs`

/** Copies the texts of one database to where another's are. What is still being written is left out. */
export const copyLogs = (from: string, to: string): Effect.Effect<void, StorageError> =>
  Effect.tryPromise({
    try: async () => {
      const files = await readdir(directoryOf(from)).catch(() => [])
      if (files.length > 0) await mkdir(directoryOf(to), { recursive: true, mode: 0o700 })
      for (const file of files.filter((name) => name.endsWith(".gz"))) {
        await copyFile(join(directoryOf(from), file), join(directoryOf(to), file))
      }
    },
    catch: (cause) =>
      new StorageError({
        reason: "unavailable",
        message: `what deployments printed cannot be copied into ${directoryOf(to)}: ${(cause as Error).message}`,
        cause,
      }),
  })

/** Keeps them beside the database at `path`, in `<path>-logs`. */
export const layer = (path: string): Layer.Layer<DeployLogs> => {
  const directory = directoryOf(path)
  const fileOf = (id: string) => join(directory, `${id.replaceAll(/[^0-9A-Za-z-]/g, "_")}.gz`)
  return Layer.succeed(
    DeployLogs,
    DeployLogs.of({
      write: (id) => Effect.map(Effect.acquireRelease(open(directory, fileOf(id)), close), ({ write }) => write),
      read: (id) =>
        Effect.tryPromise({
          try: async () => (await promisify(gunzip)(await readFile(fileOf(id)))).toString("utf8"),
          catch: (cause) => cause as NodeJS.ErrnoException,
        }).pipe(
          Effect.catchAll((cause) =>
            cause.code === "ENOENT" ? Effect.succeed(undefined) : Effect.fail(unreadable(fileOf(id), cause)),
          ),
        ),
    }),
  )
}

/** How many texts this process has begun: two may follow one deployment, as when the one who watches it cancels it. */
let drafts = 0

/** A text on its way to its file. The file appears under its name when it is whole. */
const open = (directory: string, file: string) =>
  Effect.sync(() => {
    const draft = `${file}.${process.pid}.${++drafts}.part`
    const gzip = createGzip()
    let broken: unknown
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
    } catch (error) {
      broken = error
    }
    const written = pipeline(gzip, createWriteStream(draft, { mode: 0o600 })).then(
      () => renameSync(draft, file),
      (error) => {
        broken = error
      },
    )
    const write = (text: string) =>
      Effect.async<void>((resume) => {
        if (broken !== undefined || gzip.destroyed || gzip.write(text)) return resume(Effect.void)
        // Full, or no more: whichever comes first.
        gzip.once("drain", () => resume(Effect.void)).once("close", () => resume(Effect.void))
      })
    return { gzip, write, written }
  })

const close = ({ gzip, written }: Effect.Effect.Success<ReturnType<typeof open>>) =>
  Effect.promise(async () => {
    gzip.end()
    await written.catch(() => {})
  })

const unreadable = (file: string, cause: unknown) =>
  new StorageError({ reason: "unavailable", message: `what the deployment printed cannot be read from ${file}`, cause })
