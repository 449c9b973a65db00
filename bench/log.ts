/** `npm run bench:log`: the log's figures, side by side with their baselines, in one run. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { measureAppend } from "./log/append.js"
import { machine, markdown } from "./log/stats.js"

const directory = mkdtempSync(join(tmpdir(), "context-bench-"))
const rows = [...(await measureAppend(directory))]
console.log(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`)
console.log(markdown(rows))
rmSync(directory, { recursive: true, force: true })
if (process.argv.includes("--check") && rows.some((row) => !row.ok)) process.exitCode = 1
