/** The CLI as one file that starts fast: what is bundled, what is left out, and what waits until it is used. */
import { createHash } from "node:crypto"
import { appendFileSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { defer } from "./defer.mjs"
import { noticesOf } from "./notices.mjs"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Bundles the CLI into one CommonJS file, with `swagger.cjs` beside it. Run it with the launcher in `packages/cli/bin`. */
export const bundleCli = async (outfile) => {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["packages/cli/src/bin.ts"],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    conditions: ["@context-engine/source"],
    // With CONTEXT_DEBUG=1 stack traces name files, lines and functions of the source all the same.
    minify: true,
    // An error that nobody catches prints its whole line.
    lineLimit: 200,
    // Modules behind an `import()` are in the same file, and evaluated when it runs.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "importMetaUrl" },
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    // Optional accelerators of ssh2, which does without.
    external: ["cpu-features", "*/sshcrypto.node"],
    plugins: [
      embeddedOnly,
      nativeTarget,
      swaggerAside(dirname(outfile)),
      withoutSchema,
      defer({ ...rarelyUsed, root }),
    ],
    metafile: true,
    logLevel: "warning",
  })
  noticesOf(metafile, outfile)
  // The launcher takes it as the key of its cache.
  const hash = createHash("sha256").update(readFileSync(outfile)).digest("hex").slice(0, 16)
  appendFileSync(outfile, `//${hash}\n`)
}

/** @effect/sql-libsql names the client with all its remote protocols; ours is made from the local half alone. */
const embeddedOnly = {
  name: "embedded-only",
  setup: ({ onResolve, resolve }) => {
    onResolve({ filter: /^@libsql\/client$/ }, ({ kind, resolveDir }) =>
      resolve("@libsql/client/sqlite3", { kind, resolveDir }),
    )
  },
}

/**
 * libsql asks two packages which binary fits, and each has Node write a diagnostic report: slower than opening the database.
 * The name of the C library also stands in the head of Node's own executable.
 */
const nativeTarget = {
  name: "native-target",
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/]libsql[\\/]index\.js$/ }, ({ path }) => {
      const original = /const \{ load, currentTarget \}.*?\nfunction requireNative\(\) \{.*?\n\}\n/s
      const text = readFileSync(path, "utf8")
      if (!original.test(text)) throw new Error(`${path} does not choose its binary as it did: adapt scripts/build.mjs`)
      return { contents: text.replace(original, () => `const requireNative = ${requireNative}\n`) }
    })
  },
}

/** Goes into the bundle as text. */
const requireNative = () => {
  const { platform, arch, execPath } = process
  const isMusl = () => {
    const { closeSync, openSync, readSync } = require("node:fs")
    const head = Buffer.alloc(4096)
    const fd = openSync(execPath, "r")
    readSync(fd, head)
    closeSync(fd)
    return head.includes("/ld-musl-")
  }
  const abi = () => `-${isMusl() ? "musl" : "gnu"}${arch === "arm" ? "eabihf" : ""}`
  const suffix = platform === "linux" ? abi() : platform === "win32" ? "-msvc" : ""
  // The copy that belongs to libsql: there must never be two in one process. Found without Node's rules for `exports`,
  // which take longer to load than the rest of this.
  const { existsSync, realpathSync } = require("node:fs")
  const { dirname, join } = require("node:path")
  let from = __dirname
  while (!existsSync(join(from, "node_modules", "libsql")) && from !== dirname(from)) from = dirname(from)
  const libsql = realpathSync(join(from, "node_modules", "libsql", "index.js"))
  return require("node:module").createRequire(libsql)(`@libsql/${platform}-${arch}${suffix}`)
}

/** What the @effect packages import for a part of their work that most commands never come to. */
const rarelyUsed = {
  importers: /\/@effect\//,
  modules: new RegExp(
    [
      "/@effect/cli/dist/esm/internal/prompt",
      "/@effect/platform/dist/esm/(Error|FileSystem).js",
      "/@effect/sql/dist/esm/SqlError.js",
      "/effect/dist/esm/(Channel|Config|ConfigError|FiberHandle|Mailbox|ParseResult|Queue|Schema|Sink|Stream).js",
    ].join("|"),
  ),
}

/** @effect/cli makes two schemas, to look for a word in a list, whenever it is imported. */
const withoutSchema = {
  name: "without-schema",
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/]@effect[\\/]cli[\\/]dist[\\/]esm[\\/]internal[\\/]primitive\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8")
        .replace(/Schema\.Literal\(("true"|"false")([^)]*)\)/g, "[$1$2]")
        .replace(/Schema\.is\((trueValues|falseValues)\)/g, "(word) => $1.includes(word)"),
    }))
  },
}

/** Two megabytes of browser code for `/docs`: in a file of its own, so that other commands need not read it. */
const swaggerAside = (directory) => ({
  name: "swagger-aside",
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/]internal[\\/]httpApiSwagger\.js$/ }, async ({ path }) => {
      await build({ entryPoints: [path], outfile: join(directory, "swagger.cjs"), format: "cjs", platform: "node" })
      return { contents: 'module.exports = require(require("node:path").join(__dirname, "swagger.cjs"))' }
    })
  },
})
