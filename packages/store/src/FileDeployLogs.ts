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
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { addName, copyPrivately, makeDirectory, syncPath } from "./files.js"

/** Where the texts of the database at `path` are. */
export const directoryOf = (path: string): string => `${path}-logs`

/**
 * Copies the texts of one database to where another's are, each whole or not at all. What is still being written is left out. Where
 * the scope ends in a failure, all is as it was.
 */
export const copyLogs = (from: string, to: string): Effect.Effect<void, StorageError, Scope.Scope> => {
  const [source, target] = [directoryOf(from), directoryOf(to)]
  const done: Array<Copied> = []
  const copy = attempt(to, () => {
    const texts = textsIn(source)
    if (texts.length === 0) return
    if (!existsSync(target)) {
      makeDirectory(target)
      done.push({ undo: () => rmSync(target, { recursive: true, force: true }) })
    }
    for (const name of texts) done.push(copyText(join(source, name), join(target, name)))
    syncPath(target)
  })
  const end = ({ _tag }: Exit.Exit<unknown, unknown>) =>
    attempt(to, () => {
      for (const { keep, undo } of done.reverse()) (_tag === "Success" ? keep : undo)?.()
    })
  return Effect.zipRight(
    Effect.addFinalizer((exit) => Effect.ignore(end(exit))),
    copy,
  )
}

/** What there is to do when it is known whether a text stays. */
interface Copied {
  readonly undo?: () => void
  readonly keep?: () => void
}

/** Whether there is anything that a database's deployments printed. */
export const hasLogs = (path: string): boolean => textsIn(directoryOf(path)).length > 0

/** Takes away all that the deployments of a database printed. */
export const removeLogs = (path: string): void => rmSync(directoryOf(path), { recursive: true, force: true })

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
const copyText = (from: string, to: string): Copied => {
  const [draft, before] = [`${to}.copying.part`, `${to}.before.part`]
  // Of a process that was killed.
  for (const left of [draft, before]) rmSync(left, { force: true })
  const there = lstatSync(to, { throwIfNoEntry: false })
  if (there?.isFile() && there.size === statSync(from).size) return {}
  try {
    copyPrivately(from, draft)
    if (there !== undefined) addName(to, before)
    renameSync(draft, to)
  } catch (error) {
    for (const left of [draft, before]) rmSync(left, { force: true })
    throw error
  }
  if (there === undefined) return { undo: () => rmSync(to) }
  return { undo: () => renameSync(before, to), keep: () => rmSync(before) }
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
