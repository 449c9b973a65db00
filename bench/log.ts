/** `npm run bench:log`: the log's figures, side by side with their baselines, in one run. `--check` fails on a miss. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { measureAppend } from "./log/append.js"
import { measureReplay } from "./log/replay.js"
import { measureScale } from "./log/scale.js"
import { machine, markdown, type Row } from "./log/stats.js"

/** A part alone in a process, which prints its rows: none has another's garbage to carry. */
const inProcess = (part: string): ReadonlyArray<Row> => {
  const run = spawnSync(process.execPath, [...process.execArgv, process.argv[1] as string, "--rows", part], {
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 26,
  })
  return JSON.parse(run.stdout.toString().trim().split("\n").at(-1) as string)
}

const directory = mkdtempSync(join(tmpdir(), "context-bench-"))
const parts: Record<string, () => Promise<ReadonlyArray<Row>>> = {
  replay: () => measureReplay(directory),
  append: () => measureAppend(directory),
  scale: () => measureScale(directory, 1_000_000),
}
const wanted = process.argv.slice(2).filter((argument) => argument in parts)
if (process.argv[2] === "--rows") {
  const [part] = wanted
  console.log(JSON.stringify(await parts[part as string]?.()))
  rmSync(directory, { recursive: true, force: true })
  process.exit(0)
}
const rows = Object.keys(parts).flatMap((name) => (wanted.length === 0 || wanted.includes(name) ? inProcess(name) : []))
console.log(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`)
console.log(markdown(rows))
rmSync(directory, { recursive: true, force: true })
if (process.argv.includes("--check") && rows.some((row) => !row.ok)) process.exitCode = 1
