/** What a shared log costs a command that writes: it is pushed behind its back. Whole processes of the built CLI, taking turns. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { NativeConnection } from "@context-engine/store/connection"
import { isHeld } from "@context-engine/store/sync/lock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { median, type Row, time } from "../log/stats.js"
import type { Setting } from "./setting.js"

const rounds = 30

export const measureCommands = async ({ directory, line, program, sqld }: Setting): Promise<ReadonlyArray<Row>> => {
  const db = join(directory, "commands.db")
  const alone = { ...process.env, HOME: directory, CONTEXT_DB: db, CONTEXT_SYNC_FILE: join(directory, "no-file") }
  const shared = { ...alone, TURSO_URL: line.url, TURSO_AUTH_TOKEN: Redacted.value(sqld.token()) }
  const run = (words: string, env: NodeJS.ProcessEnv) =>
    promisify(execFile)(process.execPath, [program, "infra", ...words.split(" ")], { env })
  let turn = 0
  const command = (env: NodeJS.ProcessEnv) => time(() => run(`server update alpha --notes n${turn++}`, env))
  const bring = () => run("sync now", shared)
  const kinds = {
    alone: async () => {
      const took = await command(alone)
      await bring()
      return took
    },
    shared: async () => {
      const took = await command(shared)
      await pushed(db)
      return took
    },
    watched: async () => {
      const watcher = new NativeConnection(`${db}-watch`, 0, "")
      watcher.exec("BEGIN EXCLUSIVE")
      const took = await command(shared)
      watcher.close()
      await bring()
      return took
    },
  }
  // The first of each makes the file, the code caches and the contact.
  await run("server add alpha", alone)
  await bring()
  for (const kind of Object.values(kinds)) await kind()
  const figures = { alone: [] as Array<number>, shared: [] as Array<number>, watched: [] as Array<number> }
  const names = ["alone", "shared", "watched"] as const
  // Each comes first, second and third equally often: what is slow for a while is so for all of them.
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < names.length; i++) {
      const name = names[(round + i) % names.length] as keyof typeof figures
      figures[name].push(await kinds[name]())
    }
  const base = median(figures.alone)
  const row = (what: string, values: ReadonlyArray<number>): Row => ({
    what,
    figure: `${(median(values) - base).toFixed(1)} ms more (${(median(values) / base).toFixed(2)} ×)`,
    baseline: `without a shared log ${base.toFixed(0)} ms`,
    reach: "< 10 ms more",
    ok: median(values) - base < 10,
  })
  return [
    row("a command that writes, with a shared log 300 ms away", figures.shared),
    row("the same while `sync watch` or `serve` runs", figures.watched),
  ]
}

/** Waits until the process behind the command has done its work: the next one has the machine to itself. */
const pushed = async (db: string): Promise<void> => {
  const isUnderWay = async () => {
    const connection = new NativeConnection(db, 5_000)
    try {
      const [pending] = connection.prepare("SELECT count(*) FROM events WHERE position > (SELECT position FROM sync)").get() // biome-ignore format: one query
      return pending > 0 || (await Effect.runPromise(isHeld(db, "sync")))
    } finally {
      connection.close()
    }
  }
  while (await isUnderWay()) await new Promise((again) => setTimeout(again, 20))
  // Its end takes a moment, too.
  await new Promise((ended) => setTimeout(ended, 100))
}
