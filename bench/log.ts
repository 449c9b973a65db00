/** `npm run bench:log`: the log's figures, side by side with their baselines, in one run. `--check` fails on a miss. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { measureAppend } from "./log/append.js"
import { measureReplay } from "./log/replay.js"
import { measureScale } from "./log/scale.js"
import { machine, markdown, type Row } from "./log/stats.js"

const directory = mkdtempSync(join(tmpdir(), "context-bench-"))
const parts: Record<string, () => Promise<ReadonlyArray<Row>>> = {
  // First, while the process is small: it tells how much memory a replay takes.
  replay: () => measureReplay(directory),
  append: () => measureAppend(directory),
  scale: () => measureScale(directory, 1_000_000),
}
const wanted = process.argv.slice(2).filter((argument) => argument in parts)
const rows: Array<Row> = []
for (const [name, measure] of Object.entries(parts)) {
  if (wanted.length === 0 || wanted.includes(name)) rows.push(...(await measure()))
}
console.log(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`)
console.log(markdown(rows))
rmSync(directory, { recursive: true, force: true })
if (process.argv.includes("--check") && rows.some((row) => !row.ok)) process.exitCode = 1
