/** The CLI as people run it: one bundle, made once for a state of the sources and shared by all test files. */

import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build, type Plugin } from "esbuild"

const root = fileURLToPath(new URL("../../../..", import.meta.url))
const directory = join(root, "node_modules", ".cache", "context-cli-test")

/** What node is given to run the CLI. */
export const bundle = async (): Promise<string> => {
  const outfile = join(directory, `${fingerprint()}.cjs`)
  const launcher = `${outfile}.launch.cjs`
  if (existsSync(launcher)) return launcher
  mkdirSync(directory, { recursive: true })
  forgetOld()
  const temporary = `${outfile}.${process.pid}.cjs`
  await build({
    entryPoints: [join(root, "packages/cli/src/bin.ts")],
    outfile: temporary,
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    conditions: ["@context-engine/source"],
    supported: { "dynamic-import": false },
    external: ["libsql", "cpu-features"],
    loader: { ".node": "empty" },
    plugins: [localLibsql],
    define: { "import.meta.url": JSON.stringify(pathToFileURL(join(root, "packages/cli/src/bin.ts")).href) },
    logLevel: "error",
  })
  renameSync(temporary, outfile)
  writeFileSync(temporary, launch(outfile))
  // The first run leaves its compiled code for all others: a suite starts the program some hundred times.
  const env = { ...process.env, CONTEXT_DB: `${temporary}.db` }
  execFileSync(process.execPath, [temporary, "infra", "server", "list"], { env })
  renameSync(temporary, launcher)
  return launcher
}

/** Runs the bundle with V8's code cache, as the real launcher does. */
const launch = (outfile: string): string => `
const fs = require("node:fs"), vm = require("node:vm"), path = require("node:path")
const file = ${JSON.stringify(outfile)}, cache = file + ".cache"
const cachedData = fs.existsSync(cache) ? fs.readFileSync(cache) : undefined
const script = new vm.Script("(function (exports, require, module, __filename, __dirname) {" + fs.readFileSync(file, "utf8") + "\\n})", {
  filename: file,
  cachedData,
})
if (cachedData === undefined) process.on("exit", () => {
  fs.writeFileSync(cache + process.pid, script.createCachedData())
  fs.renameSync(cache + process.pid, cache)
})
const module_ = { exports: {} }
script.runInThisContext()(module_.exports, require, module_, file, path.dirname(file))
`

/** The log is a local file: the client's other half is not needed. */
const localLibsql: Plugin = {
  name: "local-libsql",
  setup: (setup) =>
    setup.onResolve({ filter: /^@libsql\/client$/ }, ({ resolveDir }) =>
      setup.resolve("@libsql/client/sqlite3", { resolveDir, kind: "import-statement" }),
    ),
}

const fingerprint = (): string => {
  const hash = createHash("sha256")
  for (const name of ["core", "store", "http", "cli"]) {
    const source = join(root, "packages", name, "src")
    for (const file of readdirSync(source, { recursive: true, encoding: "utf8" }).sort()) {
      const { mtimeMs, size } = statSync(join(source, file))
      hash.update(`${name}/${file} ${mtimeMs} ${size}\n`)
    }
  }
  return hash.digest("hex").slice(0, 16)
}

const forgetOld = () => {
  const hourAgo = Date.now() - 3_600_000
  for (const file of readdirSync(directory)) {
    const path = join(directory, file)
    if (statSync(path).mtimeMs < hourAgo) rmSync(path, { force: true })
  }
}
