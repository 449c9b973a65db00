// `npm test`: gets the programs that the tests need, then runs them all. Arguments go to vitest.
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { provideTools } from "./tools.mjs"

const missing = provideTools()
if (missing.length > 0 && process.env.CI === "true") {
  console.error("With CI=true a missing program is a failure.")
  process.exit(1)
}
// The suites of what is missing skip themselves, by name.

const node = (args) => spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1
if (!existsSync("packages/cli/dist/context.cjs")) {
  const built = node(["scripts/build.mjs"])
  if (built !== 0) process.exit(built)
}
const vitest = (...args) => node(["node_modules/vitest/vitest.mjs", "run", ...args])
const wanted = process.argv.slice(2)
if (wanted.length > 0) process.exit(vitest(...wanted))

// What measures the log under load, or against the clock, has the machine to itself.
const rest = vitest("--exclude", "**/durability/**", "--exclude", "**/test/sync/**")
const projects = ["--project", "store", "--project", "cli"]
const durability = vitest(...projects, "test/durability/", "test/sync/", "--no-file-parallelism")
process.exit(rest || durability)
