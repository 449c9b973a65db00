/**
 * Builds everything: the libraries to JavaScript and declarations, the CLI to one file with a warm code cache.
 *
 * Run it with `npm run build`.
 */
import { spawn } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundleCli } from "./build/bundle.mjs"
import { bundleSqlClient } from "./build/sqlClient.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const cli = join(root, "packages", "cli")
const bundle = join(cli, "dist", "context.cjs")
const launcher = join(cli, "bin", "context.cjs")

/** The libraries, each after those it imports. The CLI is a program: its bundle is all there is to it. */
const libraries = ["core", "store", "http"]

const main = async () => {
  for (const name of [...libraries, "cli"]) {
    rmSync(join(root, "packages", name, "dist"), { recursive: true, force: true })
    // npm packs only what lies in a package's own folder.
    copyFileSync(join(root, "LICENSE"), join(root, "packages", name, "LICENSE"))
  }
  for (const name of libraries) await step(`packages/${name}/dist`, () => compile(name))
  await step("packages/store/dist/sqlClient.js", () =>
    bundleSqlClient(join(root, "packages", "store", "dist", "sqlClient.js")),
  )
  await step("packages/cli/dist/context.cjs", async () => {
    await bundleCli(bundle)
    return `${Math.round(statSync(bundle).size / 1024)} kB`
  })
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

/** Each command has its own cache; the others make theirs when they are first used. */
const warm = async () => {
  const directory = mkdtempSync(join(tmpdir(), "context-build-"))
  try {
    const env = { HOME: directory, CONTEXT_DB: join(directory, "infra.db") }
    await run([launcher, "--help"], env)
    await run([launcher, "infra", "status"], env)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

try {
  await main()
} catch (error) {
  // esbuild has said itself what is wrong.
  if (error.errors === undefined) console.error(error.message)
  process.exitCode = 1
}
