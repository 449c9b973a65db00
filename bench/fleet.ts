/**
 * `npm run bench:fleet`: many servers at once, a large log and a full host, each beside what people use for it.
 *
 * Real sshds on loopback, each a process of its own. Arguments choose parts: `status`, `logs`, `scan`. A miss exits with 1.
 */
import { existsSync } from "node:fs"
import { fifty } from "./fleet/fifty.js"
import { following } from "./fleet/following.js"
import { scanning } from "./fleet/scanning.js"
import { machine, markdown, type Row } from "./log/stats.js"

const parts: Readonly<Record<string, () => Promise<ReadonlyArray<Row>>>> = {
  status: () => fifty(7),
  logs: () => following(5),
  scan: () => scanning(5),
}

const main = async (): Promise<number> => {
  if (!existsSync("packages/cli/dist/context.cjs")) {
    console.error("the CLI has not been built: run npm run build first")
    return 1
  }
  const chosen = process.argv.slice(2).filter((word) => word in parts)
  const rows: Array<Row> = []
  for (const [name, part] of Object.entries(parts)) {
    if (chosen.length === 0 || chosen.includes(name)) rows.push(...(await part()))
  }
  console.log(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`)
  console.log(markdown(rows))
  return rows.some((row) => !row.ok) ? 1 : 0
}

process.exit(await main())
