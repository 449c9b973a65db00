/** What a shared log costs a command that writes: it is pushed behind its back. Whole processes of the built CLI, taking turns. */
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { NativeConnection } from "@context-engine/store/connection"
import * as Redacted from "effect/Redacted"
import { median, type Row, time } from "../log/stats.js"
import type { Setting } from "./setting.js"

const rounds = 60

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
    first: async () => {
      const took = await command(shared)
      await left(db)
      return took
    },
    next: async () => {
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
  const figures = { alone: [] as Array<number>, first: [] as Array<number>, next: [] as Array<number> }
  const names = ["alone", "first", "next"] as const
  // Each comes first, second and third equally often: what is slow for a while is so for all of them.
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < names.length; i++) {
      const name = names[(round + i) % names.length] as keyof typeof figures
      figures[name].push(await kinds[name]())
    }
  const base = median(figures.alone)
  const row = (what: string, values: ReadonlyArray<number>): Row => {
    // Against the one of the same round: what is slow for a while takes nothing from either.
    const more = median(values.map((value, round) => value - (figures.alone[round] as number)))
    return {
      what,
      figure: `${more.toFixed(1)} ms more (${(1 + more / base).toFixed(2)} ×)`,
      baseline: `without a shared log ${base.toFixed(0)} ms`,
      reach: "< 10 ms more",
      ok: more < 10,
    }
  }
  return [
    row(
      "a command that writes, with a shared log 300 ms away: the first, which leaves a process behind",
      figures.first,
    ),
    row("the next, while that process, `sync watch` or `serve` is there", figures.next),
  ]
}

/** Ends the process that a command left behind: the next one is a first one again, and has the machine to itself. */
const left = async (db: string): Promise<void> => {
  const isBehind = (pid: string) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")
      return words.includes("--idle") && words.includes(db)
    } catch {
      return false
    }
  }
  const behind = () => readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isBehind(name))
  for (let pids = behind(); pids.length > 0; pids = behind()) {
    for (const pid of pids) process.kill(Number(pid), "SIGKILL")
    await new Promise((ended) => setTimeout(ended, 50))
  }
}
