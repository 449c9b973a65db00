/** What deployments printed, one compressed file each in a directory beside the database. */
import { createWriteStream, existsSync, lstatSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { promisify } from "node:util"
import { createGzip, gunzip } from "node:zlib"
import { DeployLogs } from "@context-engine/core/DeployLogs"
import { StorageError } from "@context-engine/core/Errors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { addName, copyPrivately, makeDirectory, syncPath } from "./files.js"

/** Where the texts of the database at `path` are. */
export const directoryOf = (path: string): string => `${path}-logs`

/** Copies the texts of one database to where another's are, each whole or not at all. What is still being written is left out. */
export const copyLogs = (from: string, to: string): Effect.Effect<void, StorageError> =>
  attempt(to, () => {
    const [source, target] = [directoryOf(from), directoryOf(to)]
    const texts = textsIn(source)
    if (texts.length === 0) return
    const made = !existsSync(target)
    try {
      makeDirectory(target)
      for (const name of texts) copyText(join(source, name), join(target, name))
      syncPath(target)
    } catch (error) {
      if (made) rmSync(target, { recursive: true, force: true })
      throw error
    }
  })

/** Gives the texts of a database the names that belong to another of its names. */
export const linkLogs = (from: string, to: string): Effect.Effect<void, StorageError> =>
  attempt(to, () => {
    const texts = textsIn(directoryOf(from))
    if (texts.length > 0) makeDirectory(directoryOf(to))
    for (const name of texts) addName(join(directoryOf(from), name), join(directoryOf(to), name))
    if (texts.length > 0) syncPath(directoryOf(to))
  })

/** Takes away the texts that another database does not have: they were kept with the log that was moved aside. */
export const keepOnlyLogs = (path: string, like: string): Effect.Effect<void, StorageError> =>
  attempt(path, () => {
    const wanted = new Set(textsIn(directoryOf(like)))
    const extra = textsIn(directoryOf(path)).filter((name) => !wanted.has(name))
    for (const name of extra) rmSync(join(directoryOf(path), name), { force: true })
  })

const textsIn = (directory: string): ReadonlyArray<string> =>
  existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".gz")) : []

/** A text is written once: one of the same size is the same. */
const copyText = (from: string, to: string): void => {
  const there = lstatSync(to, { throwIfNoEntry: false })
  if (there?.isFile() && there.size === statSync(from).size) return
  const draft = `${to}.copying`
  rmSync(draft, { force: true })
  copyPrivately(from, draft)
  renameSync(draft, to)
}

const attempt = (to: string, body: () => void): Effect.Effect<void, StorageError> =>
  Effect.try({
    try: body,
    catch: (cause) =>
      new StorageError({
        reason: (cause as NodeJS.ErrnoException).code === "ENOSPC" ? "full" : "unavailable",
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

const day = 86_400_000

/** What killed processes left half-way. A deployment that goes on for a day without a word is no more. */
const removeLeftovers = (directory: string): void => {
  for (const name of readdirSync(directory).filter((found) => found.endsWith(".part"))) {
    const written = lstatSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - written > day) rmSync(join(directory, name), { force: true })
  }
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
      makeDirectory(directory)
      removeLeftovers(directory)
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
