// Bundles a bench written in TypeScript and runs it: `node bench/run.mjs bench/log.ts [arguments]`.
import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync } from "node:fs"
import { build } from "esbuild"

const [entry, ...args] = process.argv.slice(2)
const outfile = `node_modules/.cache/context-bench-${process.pid}.mjs`
mkdirSync("node_modules/.cache", { recursive: true })
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  packages: "bundle",
  external: ["ssh2", "libsql", "@effect/sql", "effect", "@libsql/*", "@effect/*", "esbuild"],
  conditions: ["@context-engine/source"],
  alias: { vitest: "./bench/vitest.js" },
})
const { status } = spawnSync(process.execPath, ["--expose-gc", outfile, ...args], { stdio: "inherit" })
rmSync(outfile, { force: true })
process.exit(status ?? 1)
