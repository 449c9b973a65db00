// `npm test`: gets the programs that the tests need, then runs them, but for those that take long (*.long.test.ts), which are
// what `npm run test:long` runs. Other arguments go to vitest.
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
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
const [which, ...others] = process.argv.slice(2)
const isLong = which === "--long"
if (which !== undefined && !isLong) process.exit(vitest(which, ...others))

const folder = mkdtempSync(join(tmpdir(), "context-tests-"))
/** One run, and what failed in it: told again at the end, where it is looked for. */
const run = (name, ...args) => {
  const report = join(folder, `${name}.json`)
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`]
  const status = vitest(...args, ...reporters)
  const failures = existsSync(report) ? failuresOf(report) : [`${name}: no report`]
  const noTest = 'it ended with an error, though no test failed: see its "Unhandled Errors" above'
  return { status, failures: status !== 0 && failures.length === 0 ? [`${name}: ${noTest}`] : failures }
}
const failuresOf = (report) =>
  JSON.parse(readFileSync(report, "utf8")).testResults.flatMap((file) => [
    ...(file.status === "failed" && file.message ? [`${at(file)}\n  ${file.message}`] : []),
    ...file.assertionResults
      .filter((test) => test.status === "failed")
      .map((test) => `${at(file)} > ${test.fullName}\n  ${test.failureMessages.join("\n  ")}`),
  ])
const at = (file) => relative(process.cwd(), file.name)

// What measures the log under load, or against the clock, has the machine to itself.
// The others mostly wait, for hosts and for deadlines: two at a time take little more than half as long.
const both = ["--minWorkers=2", "--maxWorkers=2"]
const length = ["--exclude", isLong ? "**/!(*.long).test.ts" : "**/*.long.test.ts"]
const rest = run("rest", ...both, ...length, "--exclude", "**/durability/**", "--exclude", "**/test/sync/**")
const projects = ["--project", "store", "--project", "cli"]
const folders = ["durability/", "sync/"].map((name) => `test/${name}`)
const alone = run("alone", ...projects, ...folders, ...length, "--no-file-parallelism")
rmSync(folder, { recursive: true, force: true })

const failures = [...rest.failures, ...alone.failures]
if (failures.length > 0) console.log(`\nFailed:\n\n${failures.join("\n\n")}`)
process.exit(rest.status || alone.status)
