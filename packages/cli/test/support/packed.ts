/** The packages as npm would publish them: built and packed from a copy of the sources, and installed where nothing else is. */
import { execFile } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

export const checkout = fileURLToPath(new URL("../../../..", import.meta.url)).replace(/\/$/, "")

/** The packages that are published, each after those it needs. */
export const published = ["core", "store", "http", "cli"] as const

export interface Packed {
  readonly name: string
  readonly manifest: any
  /** Every file of the tarball: its path in the package, and where it lies unpacked. */
  readonly files: ReadonlyMap<string, string>
  readonly tarball: string
}

const run = promisify(execFile)

/** Runs npm in a directory as a person would, not as a script of this project. */
export const npm = (cwd: string, ...args: ReadonlyArray<string>) =>
  run("npm", [...args], { cwd, env: plain, maxBuffer: 1 << 26 })

const kept = /^npm_config_(registry|cache|userconfig|globalconfig)$/i
const plain = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) || kept.test(name)),
)

/**
 * Copies the sources, builds and packs them there: what others use at the moment stays. The tarballs go into `directory`.
 * The copy lies inside the checkout, so that it finds what is installed there.
 */
export const pack = async (directory: string): Promise<ReadonlyArray<Packed>> => {
  const copy = join(checkout, "node_modules", ".cache", `context-packed-${process.pid}`)
  try {
    copySources(copy)
    await run(process.execPath, [join(copy, "scripts", "build.mjs")], { cwd: copy })
    const workspaces = published.flatMap((name) => ["-w", `packages/${name}`])
    const { stdout } = await npm(copy, "pack", ...workspaces, "--json", "--pack-destination", directory)
    return await Promise.all(tarballsOf(stdout).map((name) => unpack(directory, name)))
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

const copySources = (copy: string) => {
  for (const name of ["scripts", "LICENSE", "package.json", "tsconfig.base.json", "tsconfig.build.json"]) {
    cpSync(join(checkout, name), join(copy, name), { recursive: true })
  }
  const left = new Set(["dist", "node_modules", "test"])
  cpSync(join(checkout, "packages"), join(copy, "packages"), {
    recursive: true,
    filter: (path) => !left.has(basename(path)),
  })
  const modules = join(copy, "node_modules")
  mkdirSync(join(modules, "@context-engine"), { recursive: true })
  for (const name of published) symlinkSync(join(copy, "packages", name), join(modules, "@context-engine", name))
  symlinkSync(join(checkout, "node_modules", "typescript"), join(modules, "typescript"))
}

/** A list in some versions of npm, by the packages' names in others. */
const tarballsOf = (json: string): ReadonlyArray<string> =>
  Object.values<{ filename: string }>(JSON.parse(json)).map(({ filename }) => filename)

const unpack = async (directory: string, tarball: string): Promise<Packed> => {
  const folder = join(directory, "unpacked", tarball)
  mkdirSync(folder, { recursive: true })
  await run("tar", ["-xzf", join(directory, tarball), "-C", folder])
  const root = join(folder, "package")
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  return {
    name: manifest.name,
    manifest,
    files: new Map(files.map((file) => [file.slice(root.length + 1), file])),
    tarball: join(directory, tarball),
  }
}

/** Whether npm reaches a registry that has what the packages need. */
export const registryAnswers = (cwd: string): Promise<boolean> =>
  npm(cwd, "view", "libsql@0.5.29", "version", "--fetch-retries=0", "--fetch-timeout=10000").then(
    ({ stdout }) => stdout.includes("0.5.29"),
    () => false,
  )

/** The folders of a package in an installed project, however deep. */
export const copiesOf = (modules: string, name: string): ReadonlyArray<string> =>
  readdirSync(modules, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory() && join(entry.parentPath, entry.name).endsWith(`node_modules/${name}`))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((folder) => existsSync(join(folder, "package.json")))
