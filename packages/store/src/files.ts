/** Files and directories that only their owner reads, and files that appear under their name whole or not at all. */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { randomBytes } from "@context-engine/core/random"

/**
 * Makes a directory, and those above it, for its owner alone. Those that are there keep their rights. Step by step: Node's
 * `recursive` never ends where a directory is there and takes none into it, as /proc does and a mount that has gone away
 * (https://github.com/openclaw/openclaw/issues/130807); files.test.ts tells when it does.
 */
export const makeDirectory = (path: string): void => {
  const missing: Array<string> = []
  let there = resolve(path)
  for (; statSync(there, { throwIfNoEntry: false }) === undefined; there = dirname(there)) missing.unshift(there)
  for (const one of missing) makeOne(one)
  // What lies there and is no directory is told as what it is.
  if (missing.length === 0 && !statSync(there).isDirectory()) mkdirSync(there)
  if (missing.length > 0) syncPath(there)
}

const makeOne = (path: string): void => {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
  }
}

/** Makes an empty file for its owner alone, unless there is one. What SQLite puts beside it gets the same rights. */
export const makeFile = (path: string): void => closeSync(openSync(path, "a", 0o600))

/** Waits until a file, or which names a directory has, would survive a power cut. */
export const syncPath = (path: string): void => {
  const descriptor = openSync(path, "r")
  try {
    fsyncSync(descriptor)
  } catch (error) {
    // Some file systems cannot do it for a directory: then there is nothing to wait for.
    if (!["EINVAL", "ENOTSUP", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error
  } finally {
    closeSync(descriptor)
  }
}

/** Gives a file the name that it is meant to have, for good; whatever had that name before is replaced at once. */
export const putInPlace = (draft: string, path: string): void => {
  renameSync(draft, path)
  syncPath(dirname(path))
}

/** Copies a file to a name that nothing has, for its owner alone, and waits until it is on the disk. */
export const copyPrivately = (from: string, to: string): void => {
  const source = openSync(from, "r")
  try {
    const target = openSync(to, "wx", 0o600)
    try {
      const piece = Buffer.allocUnsafe(1 << 20)
      for (let read = readSync(source, piece); read > 0; read = readSync(source, piece))
        for (let done = 0; done < read; ) done += writeSync(target, piece, done, read - done)
      fsyncSync(target)
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

/** How a file is copied where it cannot have a second name: by `copy`, which waits for the disk, first to `draft`. */
interface Copying {
  readonly copy?: ((to: string) => void) | undefined
  readonly draft?: string
}

/** Gives a file a second name. Where the file system has no such thing, it is copied. */
export const addName = (
  path: string,
  name: string,
  { copy = (to) => copyPrivately(path, to), draft = draftOf(name) }: Copying = {},
): void => {
  try {
    linkSync(path, name)
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EMLINK", "ENOSYS", "EXDEV"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error
    copy(draft)
    renameSync(draft, name)
  }
}

/**
 * Takes away what a name leads to, if it is what was meant: something else may be put there at any moment. Gives whether it was; what was
 * not has its name as before.
 */
export const takeAway = (path: string, isMeant: (there: Stats) => boolean): boolean => {
  const draft = draftOf(path)
  renameSync(path, draft)
  const isIt = isMeant(statSync(draft))
  if (!isIt) addName(draft, path)
  rmSync(draft)
  return isIt
}

/**
 * Writes a small file whole. `keep` leaves one that is there as it is, and gives `false` then. What a killed process left of
 * the same file is removed.
 */
export const writeWhole = (path: string, text: string, { keep = false } = {}): boolean => {
  makeDirectory(dirname(path))
  removeDrafts(path)
  const draft = draftOf(path)
  const descriptor = openSync(draft, "wx", 0o600)
  try {
    try {
      writeSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    if (!keep) renameSync(draft, path)
    else if (existsSync(path)) return false
    else addName(draft, path)
    syncPath(dirname(path))
    return true
  } catch (error) {
    if (keep && (error as NodeJS.ErrnoException).code === "EEXIST") return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Takes the rights of others from what is there for its owner alone. Only ever called for what this program made. */
export const makePrivate = (path: string): void => {
  const { mode } = statSync(path)
  if ((mode & 0o077) !== 0) chmodSync(path, mode & 0o700)
}

const draftOf = (path: string): string => `${path}.${process.pid}-${Buffer.from(randomBytes(4)).toString("hex")}.draft`

const minute = 60_000

/** Younger ones may be another process's, on its way. */
const removeDrafts = (path: string): void => {
  const [directory, name] = [dirname(path), basename(path)]
  for (const found of readdirSync(directory)) {
    if (!found.startsWith(`${name}.`) || !/^\.\d+-[0-9a-f]{8}\.draft$/.test(found.slice(name.length))) continue
    const age = Date.now() - (lstatSync(join(directory, found), { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    if (age > minute) rmSync(join(directory, found), { force: true })
  }
}

/** The file that a path names, through links: also one that is not there yet. Throws where its directory is not. */
export const leadsTo = (path: string): string => {
  if (existsSync(path)) return realpathSync(path)
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return path
  const target = resolve(dirname(path), readlinkSync(path))
  return leadsTo(join(realpathSync(dirname(target)), basename(target)))
}

/** A path that SQLite takes for nothing but a file: `:memory:`, `file:…` and an empty one have other meanings to it. */
export const plainPath = (path: string): string => (/^(:|file:|$)/i.test(path) ? resolve(path) : path)
