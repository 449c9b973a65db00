#!/usr/bin/env node
/**
 * Starts the bundled CLI with V8's code cache, which halves its start-up time.
 *
 * The cache holds what earlier runs of the same command compiled. It lies beside the bundle, else in the user's cache directory. Without it, or
 * with one that does not fit, everything works the same, only slower.
 */
"use strict"

const fs = require("node:fs")
const path = require("node:path")
const vm = require("node:vm")

const bundle = path.join(__dirname, "..", "dist", "context.cjs")

/** The bundle's text. esbuild escapes everything outside ASCII, and a one-byte string is cheaper. */
const readBundle = () => {
  try {
    return fs.readFileSync(bundle, "latin1")
  } catch (error) {
    if (error.code !== "ENOENT") throw error
    process.stderr.write("context has not been built: run `npm run build` in its repository first\n")
    process.exit(70)
  }
}

/** The last line of the bundle is the hash of the rest. V8 itself compares lengths only. */
const keyOf = (source) => `${source.slice(-17).trim()}-${process.version}-${process.arch}`

/** Where the cache may be, the best place first. */
const places = (key) => {
  const file = `context-${key}.cache`
  const home = process.env.HOME ?? process.env.USERPROFILE
  const xdg = process.env.XDG_CACHE_HOME
  const isPath = (named) => named !== undefined && path.isAbsolute(named)
  const user = isPath(xdg) ? xdg : isPath(home) && path.join(home, ".cache")
  const beside = path.join(path.dirname(bundle), file)
  return user ? [beside, path.join(user, "context", file)] : [beside]
}

/** A sum over the whole cache: V8 does not check its content, and crashes on a damaged one. */
const checksum = (data) => {
  const { crc32 } = require("node:zlib")
  if (crc32 !== undefined) return crc32(data).toString(16)
  return require("node:crypto").createHash("md5").update(data).digest("hex")
}

/** A file is V8's data, and in its last line the checksum and what runs have used of the program. */
const readCache = (file) => {
  let fd
  try {
    fd = fs.openSync(file, "r")
    const { mode, size, uid } = fs.fstatSync(fd)
    // Bytecode runs with our rights, so it must come from someone who could change the bundle anyway.
    const trusted = uid === 0 || uid === process.getuid?.() || uid === fs.statSync(bundle).uid
    if (process.getuid !== undefined && (!trusted || (mode & 0o022) !== 0)) return undefined
    const content = Buffer.allocUnsafeSlow(size)
    if (fs.readSync(fd, content, 0, size, 0) !== size) return undefined
    const end = Math.max(0, content.lastIndexOf("\n"))
    const data = content.subarray(0, end)
    const [sum, ...used] = content.latin1Slice(end + 1).split(",")
    return checksum(data) === sum ? { data, used } : undefined
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) fs.closeSync(fd)
  }
}

/** Puts the cache into the first place that takes it. Another process may do the same: the last one wins, whole. */
const writeCache = (files, data, used) => {
  for (const file of files) {
    const temporary = `${file}.${process.pid}`
    try {
      makeDirectory(path.dirname(file))
      const fd = fs.openSync(temporary, "wx", 0o644)
      try {
        fs.writeSync(fd, data)
        fs.writeSync(fd, `\n${[checksum(data), ...used].join(",")}`)
        fs.fsyncSync(fd)
      } finally {
        fs.closeSync(fd)
      }
      fs.renameSync(temporary, file)
      forgetOld(file)
      return
    } catch {
      remove(temporary)
    }
  }
}

/** Step by step: Node's own `recursive` never ends where a parent takes no child, as under /proc. */
const makeDirectory = (directory) => {
  if (fs.existsSync(directory)) return
  makeDirectory(path.dirname(directory))
  fs.mkdirSync(directory, { mode: 0o700 })
}

const remove = (file) => {
  try {
    fs.unlinkSync(file)
  } catch {}
}

/** Removes the caches of bundles and Node versions that are no longer used. */
const forgetOld = (kept) => {
  const directory = path.dirname(kept)
  const old = Date.now() - 30 * 24 * 3600 * 1000
  for (const name of fs.readdirSync(directory)) {
    const file = path.join(directory, name)
    if (/^context-.*\.cache/.test(name) && fs.statSync(file).mtimeMs < old) remove(file)
  }
}

/** The command without what people named, for a file's name: `infra-server`. Each has its own cache: a small one is read faster. */
const commandOf = (argv) => {
  const own = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv
  const words = own.filter((arg) => /^[a-z][a-z-]*$/.test(arg)).slice(0, 2)
  return words.join("-") || "help"
}

const main = () => {
  const source = readBundle()
  const files = places(`${commandOf(process.argv.slice(2))}-${keyOf(source)}`)
  let cache
  for (let i = 0; i < files.length && cache === undefined; i++) cache = readCache(files[i])
  const cachedData = cache?.data
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {\n${source}\n})`, {
    filename: bundle,
    lineOffset: -1,
    cachedData,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const known = new Set(script.cachedDataRejected ? [] : cache?.used)
  const used = new Set()
  globalThis[Symbol.for("context.used")] = used
  // At the end, when all that the command needs has been compiled. Not after a misuse, whose words may be anything.
  process.on("exit", (code) => {
    const fits = cachedData !== undefined && !script.cachedDataRejected
    if (code >= 2 || (fits && [...used].every((part) => known.has(part)))) return
    writeCache(files, script.createCachedData(), [...known, ...[...used].filter((part) => !known.has(part))])
  })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, require, module, bundle, path.dirname(bundle))
}

if (process.env.CONTEXT_DEBUG === "1") {
  // Names in stack traces are those of the source then, by way of the source map.
  process.setSourceMapsEnabled(true)
  if (fs.existsSync(bundle)) require(bundle)
  else readBundle()
} else {
  main()
}
