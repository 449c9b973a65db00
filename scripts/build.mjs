/**
 * Builds everything: each package to JavaScript and declarations, and the CLI to one file with a warm code cache.
 *
 * Run it with `npm run build`.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))
const cli = join(root, "packages", "cli")
const bundle = join(cli, "dist", "context.cjs")
const launcher = join(cli, "bin", "context.cjs")

/** Each package after those it imports. */
const packages = ["core", "store", "http", "cli"]

const main = async () => {
  for (const name of packages) rmSync(join(root, "packages", name, "dist"), { recursive: true, force: true })
  for (const name of packages) await step(`packages/${name}/dist`, () => compile(name))
  await step("packages/cli/dist/context.cjs", bundleCli)
  await step("the code cache", warm)
}

const step = async (what, body) => {
  const start = performance.now()
  const detail = await body()
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${what.padEnd(30)} ${seconds.padStart(5)} s  ${detail ?? ""}`.trimEnd())
}

const run = (args, env) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...env } })
    let output = ""
    child.stdout.on("data", (chunk) => (output += chunk))
    child.stderr.on("data", (chunk) => (output += chunk))
    child.on("error", reject)
    child.on("close", (code) => {
      if (code === 0) return resolve(output)
      reject(new Error(`node ${args.join(" ")} ended with ${code}\n${output}`))
    })
  })

const compile = async (name) => {
  await run([
    join(root, "node_modules", "typescript", "bin", "tsc"),
    "-p",
    join("packages", name, "tsconfig.build.json"),
  ])
}

const bundleCli = async () => {
  await build({
    absWorkingDir: root,
    entryPoints: [join(cli, "src", "bin.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    conditions: ["source"],
    // Identifiers stay: a stack trace in a bug report should name its functions.
    minifySyntax: true,
    minifyWhitespace: true,
    // Modules behind an `import()` are in the same file, and evaluated when it runs.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "importMetaUrl" },
    banner: { js: 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;' },
    sourcemap: "linked",
    legalComments: "none",
    // Optional accelerators of ssh2, which does without.
    external: ["cpu-features", "*/sshcrypto.node"],
    plugins: [nativeTarget],
    logLevel: "warning",
  })
  // The launcher takes it as the key of its cache.
  const hash = createHash("sha256").update(readFileSync(bundle)).digest("hex").slice(0, 16)
  appendFileSync(bundle, `//${hash}\n`)
  return `${Math.round(statSync(bundle).size / 1024)} kB`
}

/**
 * libsql asks two packages which binary fits, and each has Node write a diagnostic report: slower than opening the database.
 * The name of the C library also stands in the head of Node's own executable.
 */
const nativeTarget = {
  name: "native-target",
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/]libsql[\\/]index\.js$/ }, ({ path }) => {
      const original = /const \{ load, currentTarget \}[^]*?\nfunction requireNative\(\) \{[^]*?\n\}\n/
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
  const { createRequire } = require("node:module")
  // The copy that belongs to libsql: there must never be two in one process.
  return createRequire(createRequire(__filename).resolve("libsql"))(`@libsql/${platform}-${arch}${suffix}`)
}

/** The cache grows with each kind of command it has seen. */
const warm = async () => {
  const directory = mkdtempSync(join(tmpdir(), "context-build-"))
  try {
    const env = { HOME: directory, CONTEXT_DB: join(directory, "infra.db") }
    await run([launcher, "--help"], env)
    await run([launcher, "infra", "status"], env)
    await run([launcher, "infra", "status"], env)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

await main()
