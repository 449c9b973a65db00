/**
 * `npm run bench:sync`: what a shared log costs, over a line of 300 ms each way to a real libSQL server. Needs the built CLI.
 * A figure that misses ends it with status 1.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { stalls } from "../packages/cli/test/support/stalls.js"
import { openLine } from "../packages/store/test/support/proxy.js"
import { startSqld } from "../packages/store/test/support/sqld.js"
import { fortnight } from "../packages/store/test/sync/fortnight.js"
import { machine, markdown, type Row } from "./log/stats.js"
import { measureCommands } from "./sync/commands.js"
import { measureClone, measurePush } from "./sync/line.js"
import type { Setting } from "./sync/setting.js"

const delay = 300

const measureStalls = async ({ program }: Setting): Promise<ReadonlyArray<Row>> => {
  const { alone, pulled, rebased, syncing } = await stalls({ program, pulled: 10_000, rebased: 200, delay })
  return [
    {
      what: `longest stall of \`serve\`'s event loop while it pulls ${pulled} events and decides ${rebased} commands again`,
      figure: `${syncing.toFixed(0)} ms`,
      baseline: `without synchronising ${alone.toFixed(0)} ms`,
      reach: "< 50 ms",
      ok: syncing < 50,
    },
  ]
}

const measureLosses = async (): Promise<ReadonlyArray<Row>> => {
  const { given, lastWriterWins, machines, open, rejections } = await fortnight(20_261_122)
  const log = machines[0]?.log ?? []
  const there = new Set(log.map((row) => row[1]))
  for (const { events } of rejections) for (const { id } of events) there.add(id)
  const lost = given.filter((row) => !there.has(row[1])).length
  const { dangling, displaced, overwritten, resurrected } = lastWriterWins
  return [
    {
      what: "two machines alone for a fortnight, 200 commands each: work that is gone and nobody is told of",
      figure: `${lost} of ${given.length} events; ${open} commands refused, all told`,
      baseline: `last writer wins: ${overwritten} edits overwritten, ${displaced} rows displaced, ${resurrected} removals undone, ${dangling} rows left dangling`,
      reach: "0",
      ok: lost === 0,
    },
  ]
}

const parts: Readonly<Record<string, (setting: Setting) => Promise<ReadonlyArray<Row>>>> = {
  commands: measureCommands,
  push: measurePush,
  clone: measureClone,
  stalls: measureStalls,
  losses: measureLosses,
}

const wanted = process.argv.slice(2).filter((argument) => argument in parts)
const directory = mkdtempSync(join(tmpdir(), "context-bench-"))
const sqld = await startSqld()
const line = await openLine(sqld.port)
line.delay = delay
const setting: Setting = { directory, sqld, line, program: resolve("packages/cli/bin/context.cjs") }
const rows: Array<Row> = []
for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) {
  // Each part has a shared log of its own.
  await sqld.kill()
  sqld.restore(undefined)
  await sqld.start()
  rows.push(...((await parts[name]?.(setting)) ?? []))
}
await line.close()
await sqld.close()
rmSync(directory, { recursive: true, force: true })
console.log(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`)
console.log(markdown(rows))
process.exit(rows.every((row) => row.ok) ? 0 : 1)
