/**
 * `npm run bench:against -- <a built checkout>`: this version beside another one, in turns on one machine, so that a release never
 * gets slower unsaid. Gives each ratio with its 95 % interval. `--check` fails where the interval reaches above 1.05.
 */
import { type ChildProcess, fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { machine, markdown, median, type Row } from "./log/stats.js"

const most = 1.05
const other = process.argv.slice(2).find((argument) => !argument.startsWith("--"))
if (other === undefined) {
  console.error("name a checkout of the version to compare with, with npm ci and npm run build done in it")
  process.exit(2)
}
const checkouts = [resolve("."), resolve(other)] as const
const directory = mkdtempSync(join(tmpdir(), "context-against-"))

/** The geometric mean of pairs of figures, and the interval in which it lies with 95 % by their own spread. */
const ratioOf = (pairs: ReadonlyArray<readonly [number, number]>) => {
  const logs = pairs.map(([ours, theirs]) => Math.log(ours / theirs))
  const mean = logs.reduce((sum, one) => sum + one, 0) / logs.length
  const variance = logs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (logs.length - 1)
  const half = 1.96 * Math.sqrt(variance / logs.length)
  return { ratio: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) }
}

const row = (what: string, unit: string, pairs: ReadonlyArray<readonly [number, number]>): Row => {
  const { high, low, ratio } = ratioOf(pairs)
  const [ours, theirs] = [0, 1].map((side) => median(pairs.map((pair) => pair[side] as number))) as [number, number]
  return {
    what,
    figure: `${ratio.toFixed(3)} × (95 %: ${low.toFixed(3)} to ${high.toFixed(3)}), ${ours.toFixed(3)} ${unit}`,
    baseline: `${theirs.toFixed(3)} ${unit}`,
    reach: `≤ ${most} ×`,
    ok: high <= most,
  }
}

/** Both sides, the one that begins changing from turn to turn. */
const inTurns = async (turns: number, step: (side: 0 | 1) => Promise<number>) => {
  const pairs: Array<readonly [number, number]> = []
  for (let turn = 0; turn < turns; turn++) {
    const first = (turn % 2) as 0 | 1
    const taken = [0, 0]
    for (const side of [first, (1 - first) as 0 | 1]) taken[side] = await step(side)
    pairs.push(taken as [number, number])
  }
  return pairs
}

const measureAppends = async (what: "single" | "batch", turns: number, count: number) => {
  const workers: Array<ChildProcess> = []
  for (const [side, checkout] of checkouts.entries()) {
    const path = join(directory, `${what}-${side}.db`)
    const worker = fork("bench/against/worker.mjs", [checkout, path, what], { execArgv: ["--expose-gc"] })
    await once(worker, "message")
    workers.push(worker)
  }
  const pairs = await inTurns(turns, async (side) => {
    workers[side]?.send(count)
    const [taken] = await once(workers[side] as ChildProcess, "message")
    return taken / count
  })
  for (const worker of workers) worker.disconnect()
  for (const worker of workers) worker.kill()
  return pairs
}

/** `status` as a whole process. */
const measureStatus = async (turns: number) => {
  const run = (side: 0 | 1, args: ReadonlyArray<string>, input?: string) => {
    const home = join(directory, `home-${side}`)
    const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, CONTEXT_DB: join(directory, `status-${side}.db`) }
    const program = join(checkouts[side], "packages/cli/bin/context.cjs")
    const started = performance.now()
    const { status, stderr } = spawnSync(process.execPath, [program, "infra", ...args], { env, input })
    if (status !== 0) throw new Error(stderr.toString())
    return performance.now() - started
  }
  for (const side of [0, 1] as const)
    for (let n = 0; n < 20; n++) {
      run(side, ["server", "add", `s${n}`, "--ip", `10.0.0.${n + 1}`])
      for (let m = 0; m < 2; m++) run(side, ["service", "add", `a${m}`, "--server", `s${n}`, "--port", `${3000 + m}`])
    }
  for (const side of [0, 1] as const) run(side, ["status"])
  return inTurns(turns, async (side) => run(side, ["status"]))
}

const rows = [
  row("append one signed event", "ms", await measureAppends("single", 300, 50)),
  row("append 100 events, signed at once", "ms", await measureAppends("batch", 120, 5)),
  row("`status` of 20 servers and 40 services, a whole process", "ms", await measureStatus(60)),
]
console.log(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`)
console.log(markdown(rows))
rmSync(directory, { recursive: true, force: true })
if (process.argv.includes("--check") && rows.some(({ ok }) => !ok)) process.exitCode = 1
