/** What this machine remembers of a log, in a small file of its own, outside the log. */
import { chmodSync, existsSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs" // biome-ignore format: one line
import { basename, dirname, join, resolve } from "node:path"
import { leadsTo, makeDirectory } from "../files.js"
import type { Written } from "../thisFile.js"
import { areKept, type KeptRoot } from "./roots.js"

/** An event, named so that it is found again wherever it stands. */
export interface Mark {
  readonly position: number
  readonly hash: string
  readonly id: string
}

export interface Remembered {
  /** Where the log's file is. */
  readonly path: string
  /** The hash of the first event: which log it is; `null` where a person goes on without what was there. */
  readonly first: string | null
  /** The name of the shared log; `null` where the log is not shared. */
  readonly logId: string | null
  /** How often the end of the log had been put after events of others. */
  readonly rebases: number
  /** The last event that all machines share; `null` where none is. */
  readonly confirmed: Mark | null
  /** The last event of all: this machine's own newest, unless it has shared all it has; `null` where there is no `first`. */
  readonly head: Mark | null
  /** The roots that this machine's person goes by. */
  readonly roots: ReadonlyArray<KeptRoot>
  /** How far its file had come by itself; absent where that was not seen. */
  readonly file?: Written | undefined
  /** When it was seen, by this machine's clock. ISO 8601 UTC. */
  readonly at: string
  /** What was seen before, and was not in the log any more when that went on: nobody has said yet to go on without it. */
  readonly lost: ReadonlyArray<Seen>
}

/** An end of a log that was seen once. */
export type Seen = Omit<Remembered, "path" | "roots" | "lost" | "head" | "file"> & { readonly head: Mark }

/** The one name of the log at a path, however it is called: what is seen under one name is known under the other. */
export const ownName = (path: string): string => {
  try {
    const file = leadsTo(resolve(path))
    return existsSync(file) ? file : join(realpathSync(dirname(file)), basename(file))
  } catch {
    return resolve(path)
  }
}

/** The file that belongs to the log of a name. */
export const fileOf = (directory: string, path: string): string => join(directory, `${nameOf(resolve(path))}.json`)

/** Longer names than this are not taken by every file system. */
const longest = 200

/**
 * A path as one name. The cryptographic hash that would do for every length costs each command 5 ms to load; what a collision of
 * this one could confuse is told apart by the path in the file.
 */
const nameOf = (path: string): string => {
  const name = encodeURIComponent(Buffer.from(path).toString())
  if (name.length <= longest) return name
  return `${name.slice(-100)}-${fnv1a(name, 0x811c9dc5)}${fnv1a(name, 0x01000193)}`
}

/** The 32-bit FNV-1a hash of an ASCII text, in hex. */
const fnv1a = (text: string, basis: number): string => {
  let hash = basis
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, "0")
}

/** What is remembered of the log at a path; `undefined` if nothing is. Throws if it cannot be read, or is not what was written. */
export const recallLog = (directory: string, path: string): Remembered | undefined => {
  // Earlier versions went by the name that was given.
  for (const name of new Set([ownName(path), resolve(path)])) {
    const found = readRemembered(fileOf(directory, name))
    if (found?.path === name) return found
  }
  return undefined
}

/** How far the file at a path had come; `undefined` where that is not known. */
export const writtenAsSeen = (directory: string | undefined, path: string): Written | undefined => {
  try {
    return directory === undefined ? undefined : recallLog(directory, path)?.file
  } catch {
    // What cannot be read is told by who compares the log with it.
    return undefined
  }
}

/** Remembers how far the file at a path has come by itself, and nothing else than before. */
export const rememberWritten = (directory: string, path: string, file: Written | undefined): void => {
  try {
    const found = recallLog(directory, path)
    if (found !== undefined) writeRemembered(directory, { ...found, file: file?.file === "" ? undefined : file })
  } catch {
    // That nothing can be written there is what doctor tells.
  }
}

const readRemembered = (file: string): Remembered | undefined => {
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw error
  }
  const found: unknown = JSON.parse(text)
  if (!isRemembered(found)) throw new TypeError("it is not what was written there")
  // A file of an older version says nothing of roots, or of what was lost before.
  return { ...found, roots: found.roots ?? [], lost: found.lost ?? [] }
}

const isRemembered = (value: unknown): value is Remembered => {
  const found = value as Remembered | null
  return (
    typeof found === "object" &&
    typeof found?.path === "string" &&
    (found.first === null ? found.head === null && isSeen(found) : isSeen(found) && isMark(found.head)) &&
    areKept(found.roots) &&
    isWritten(found.file) &&
    [found.lost ?? []].flat().every((one) => isSeen(one) && isMark(one.head))
  )
}

const isSeen = (found: Omit<Seen, "head">): boolean =>
  typeof found.at === "string" &&
  Number.isSafeInteger(found.rebases) &&
  [found.logId, found.first].every((one) => one === null || typeof one === "string") &&
  (found.confirmed === null || isMark(found.confirmed))

const isWritten = (value: Written | undefined): boolean =>
  value === undefined || (typeof value?.file === "string" && Number.isSafeInteger(value.written))

const isMark = (value: Mark | null | undefined): boolean =>
  Number.isSafeInteger(value?.position) && typeof value?.hash === "string" && typeof value.id === "string"

/** How many logs are remembered. Beyond that, those are forgotten that were not written for the longest time. */
const most = 200

/** It appears whole or not at all, for nobody else to read. Nothing waits for the disk: it may lag behind the log. */
export const writeRemembered = (directory: string, remembered: Remembered): void => {
  const file = fileOf(directory, remembered.path)
  const isNew = !existsSync(file)
  const draft = `${file}.${process.pid}`
  makeDirectory(directory)
  try {
    writeFileSync(draft, `${JSON.stringify(remembered)}\n`, { mode: 0o600 })
    chmodSync(draft, 0o600)
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  if (isNew) forgetOldest(directory)
}

export const forget = (directory: string, path: string): void => rmSync(fileOf(directory, path), { force: true })

const forgetOldest = (directory: string): void => {
  const files = filesIn(directory)
  if (files.length <= most) return
  const ages = files.map((file) => ({ file, at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
  for (const { file } of ages.sort((a, b) => a.at - b.at).slice(0, files.length - most)) rmSync(file, { force: true })
}

/** The memory of a log that was somewhere else, where there is no file now: it was moved. */
export const movedFrom = (directory: string, first: string): Remembered | undefined => {
  for (const file of filesIn(directory)) {
    const found = orNothing(file)
    if (found?.first === first && !existsSync(found.path)) return found
  }
  return undefined
}

const filesIn = (directory: string): ReadonlyArray<string> => {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(".json"))
      .map((name) => join(directory, name))
  } catch {
    // There is none, or it is no directory: then nothing is remembered.
    return []
  }
}

const orNothing = (file: string): Remembered | undefined => {
  try {
    return readRemembered(file)
  } catch {
    return undefined
  }
}

/**
 * The roots that a person goes by in a log that has no memory of its own at its path yet: as in the one of the same beginning that was
 * seen last, and of those in one that is shared.
 */
export const rootsElsewhere = (directory: string, first: string, path: string): ReadonlyArray<KeptRoot> => {
  const same = filesIn(directory).flatMap((file) => orNothing(file) ?? [])
  const shared = (one: Remembered) => (one.logId === null ? 0 : 1)
  return (
    same
      .filter((one) => one.first === first && one.path !== path)
      .sort((a, b) => shared(b) - shared(a) || b.at.localeCompare(a.at))[0]?.roots ?? []
  )
}
