/** `logs -f` of a large file beside `ssh host cat`, and how much memory it takes meanwhile. */
import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { toolPath } from "../../packages/core/test/support/tools.js"
import { median, type Row } from "../log/stats.js"
import { type Farm, startFarm } from "./farm.js"
import { context, timed, timedBytes } from "./programs.js"

const megabytes = 100

/** Lines as an API writes them, so many megabytes of them. */
const writeLog = (path: string): number => {
  const file = openSync(path, "w")
  for (let n = 0; statSync(path).size < megabytes * 1_000_000; ) {
    let block = ""
    for (const end = n + 5_000; n < end; n++) {
      block += `2026-11-01T10:${String(n % 3600).padStart(4, "0")}Z INFO GET /api/v1/orders/${n} 200 in ${n % 90} ms — für ${n % 7} Kunden\n`
    }
    writeSync(file, block)
  }
  closeSync(file)
  return statSync(path).size
}

/** Leaves beside it what a Node process took at most, in bytes, from its first reading on. */
const watcher = `
const { writeFileSync } = require("node:fs")
const most = { rss: 0, heap: 0 }
const look = () => {
  const { heapUsed, rss } = process.memoryUsage()
  if (rss > most.rss) most.rss = rss
  if (heapUsed > most.heap) most.heap = heapUsed
}
setInterval(look, 100).unref()
process.on("exit", () => { look(); writeFileSync(process.env.MEMORY_FILE, JSON.stringify(most)) })
`

interface Memory {
  readonly rss: number
  readonly heap: number
}

const follow = async (
  { directory, env }: Farm,
  bytes: number,
): Promise<{ took: number; memory: Memory; early: number }> => {
  const memoryFile = join(directory, "memory.json")
  let early = 0
  const took = await timedBytes(
    context("infra", "service", "logs", "api", "-f", "-n", "all"),
    { ...env, NODE_OPTIONS: `--require=${join(directory, "watcher.cjs")}`, MEMORY_FILE: memoryFile },
    bytes,
    (pid, soFar) => {
      if (early === 0 && soFar > bytes / 5) early = residentOf(pid)
    },
  )
  return { took, memory: JSON.parse(readFileSync(memoryFile, "utf8")), early }
}

const residentOf = (pid: number): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024

const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`

/** They take turns. The throughput is that of what flows, from the first byte: what starting costs has benches of its own. */
export const following = async (rounds: number): Promise<ReadonlyArray<Row>> => {
  const farm = await startFarm(1, [{ name: "api", logPath: "~/api.log" }])
  const times = { ours: [] as Array<number>, cat: [] as Array<number> }
  const grown: Array<number> = []
  let most: Memory = { rss: 0, heap: 0 }
  try {
    writeFileSync(join(farm.directory, "watcher.cjs"), watcher)
    const path = join(farm.sshds[0]?.home ?? "", "api.log")
    const bytes = writeLog(path)
    const cat = [toolPath("ssh"), "-F", farm.sshConfig, farm.names[0] as string, `cat ${path}`]
    await timed([...cat.slice(0, -1), "true"], farm.env)
    for (let round = 0; round < rounds; round++) {
      const { early, memory, took } = await follow(farm, bytes)
      times.ours.push(took)
      grown.push(memory.rss - early)
      most = { rss: Math.max(most.rss, memory.rss), heap: Math.max(most.heap, memory.heap) }
      times.cat.push(await timedBytes(cat, farm.env, bytes))
    }
  } finally {
    await farm.dispose()
  }
  const share = median(times.cat) / median(times.ours)
  const perSecond = (millis: number) => `${((megabytes / millis) * 1_000).toFixed(0)} MB/s`
  return [
    {
      what: `\`logs -f -n all\` of ${megabytes} MB`,
      figure: `${perSecond(median(times.ours))} (${(share * 100).toFixed(0)} %)`,
      baseline: `\`ssh host cat\` ${perSecond(median(times.cat))}`,
      reach: "≥ 70 %",
      ok: share >= 0.7,
    },
    {
      what: "its memory, from a fifth of the way to the end",
      figure: `${mb(Math.max(...grown))} more resident at most (peak ${mb(most.rss)}, of it heap ${mb(most.heap)})`,
      baseline: "",
      reach: "< 40 MB more",
      ok: Math.max(...grown) < 40 * 2 ** 20,
    },
  ]
}
