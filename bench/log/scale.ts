/** Whether what people look at stays as fast when the log grows: whole commands on 1,000 and on 1,000,000 events. */
import { execFileSync } from "node:child_process"
import { fill } from "./replay.js"
import { median, type Row } from "./stats.js"

const cli = "packages/cli/bin/context.cjs"

export const measureScale = async (directory: string, events: number): Promise<ReadonlyArray<Row>> => {
  const [small, large] = [`${directory}/small.db`, `${directory}/large.db`]
  await fill(small, 1_000)
  await fill(large, events)
  return ["status", "server list"].map((command) => {
    const times = { small: [] as Array<number>, large: [] as Array<number> }
    for (let round = 0; round < 15; round++) {
      times.small.push(run(command, small))
      times.large.push(run(command, large))
    }
    const ratio = median(times.large) / median(times.small)
    return {
      what: `${command} with ${events.toLocaleString("en")} events in the log`,
      figure: `${Math.round(median(times.large))} ms (${ratio.toFixed(2)} ×)`,
      baseline: `with 1,000 events ${Math.round(median(times.small))} ms`,
      reach: "≤ 1.2 ×",
      ok: ratio <= 1.2,
    }
  })
}

const run = (command: string, db: string): number => {
  const started = performance.now()
  execFileSync(process.execPath, [cli, "infra", ...command.split(" "), "--db", db], { stdio: "ignore" })
  return performance.now() - started
}
