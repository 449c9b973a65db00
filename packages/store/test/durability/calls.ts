/** Work on whole files, killed at every system call that changes something: what is left, and what the next run makes of it. */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DeployLogs } from "@context-engine/core/DeployLogs"
import { Audit, type AuditReport } from "@context-engine/core/services/Audit"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { damaged } from "../support/audited.js"
import { withSqlite } from "../support/files.js"
import { addServers, inLog, verify } from "../support/live.js"
import { bundleWorker } from "./processes.js"
import { type Call, callsOf, killAt } from "./strace.js"

export const works = ["restore", "backup", "replay", "import", "rebuild"] as const
type Work = (typeof works)[number]

/** What the work is given beside the log, or makes. */
const others: Record<Work, string> = {
  restore: "backup.db",
  backup: "new.db",
  replay: "new.db",
  import: "lines.jsonl",
  rebuild: "",
}

interface Fixture {
  readonly directory: string
  /** The hashes of the heads before and after. */
  readonly old: string
  readonly new: string
}

export interface Killing {
  readonly directory: string
  readonly work: Work
  /** Only so many calls, spread over all of them. */
  readonly sample?: number
  readonly onProgress?: (done: number, of: number) => void
}

/** Kills the work at its calls, one after the other. */
export const killAtCalls = async ({ directory, onProgress, sample, work }: Killing) => {
  const bundle = await bundleWorker("copyWorker.ts")
  try {
    const fixture = await prepareFixture(join(directory, work), work)
    const run = join(directory, work, "run")
    const program = [bundle, work, join(run, "infra.db"), join(run, others[work])]
    begin(fixture, run)
    const calls = callsOf(program, run)
    const chosen = spread(calls, sample ?? calls.length)
    const problems: Array<string> = []
    let kills = 0
    for (const [index, call] of chosen.entries()) {
      begin(fixture, run)
      if (killAt(call, program)) kills += 1
      problems.push(...(await check(fixture, run, work, false)).map((one) => `${work} killed at ${call.text}: ${one}`))
      const again = spawnSync(process.execPath, program, { encoding: "utf8" })
      const found = again.status === 0 || existsSync(join(run, "new.db")) ? await check(fixture, run, work, true) : [again.stderr] // biome-ignore format: one line
      problems.push(...found.map((one) => `${work} again, after ${call.text}: ${one}`))
      onProgress?.(index + 1, chosen.length)
    }
    return { calls: calls.length, tried: chosen.length, kills, problems }
  } finally {
    rmSync(bundle, { force: true })
  }
}

/** The names that things get are what matters most: every call that gives or takes one comes first. */
const spread = (calls: ReadonlyArray<Call>, count: number): ReadonlyArray<Call> => {
  const naming = calls.filter(({ name }) => /^(rename|link|unlink)/.test(name))
  const rest = calls.filter((call) => !naming.includes(call))
  const evenly = (from: ReadonlyArray<Call>, many: number) =>
    from.filter(
      (_, index) => Math.floor((index * many) / from.length) !== Math.floor(((index - 1) * many) / from.length),
    )
  return count >= calls.length ? calls : [...evenly(naming, count / 2), ...evenly(rest, count / 2)]
}

/** A log with all of it in the file beside it still, and what the work needs. */
const prepareFixture = async (directory: string, work: Work): Promise<Fixture> => {
  const fixture = join(directory, "fixture")
  mkdirSync(fixture, { recursive: true, mode: 0o700 })
  const make = async (name: string, servers: ReadonlyArray<string>) => {
    const made = join(directory, `made-${name}`)
    const print = Effect.scoped(
      Effect.flatMap(DeployLogs, ({ write }) => Effect.flatMap(write(name), (say) => say(name))),
    )
    return inLog(
      made,
      Effect.gen(function* () {
        yield* addServers(...servers)
        yield* print
        for (const end of ["", "-wal", "-logs"]) cpSync(made + end, join(fixture, name) + end, { recursive: true })
        return (yield* verify).head.hash
      }),
    )
  }
  const old = await make("infra.db", ["a", "b", "c", "d"])
  if (work === "restore") return { directory: fixture, old, new: await make("backup.db", ["x", "y"]) }
  if (work !== "import") {
    if (work === "rebuild")
      withSqlite(damaged(join(fixture, "infra.db")), (found) => found.exec("UPDATE servers SET notes = 'x'"))
    return { directory: fixture, old, new: old }
  }
  const longer = join(directory, "longer.db")
  for (const end of ["", "-wal"]) cpSync(join(fixture, "infra.db") + end, longer + end)
  const lines = await inLog(
    longer,
    Effect.zipRight(
      addServers("e", "f"),
      Effect.flatMap(Audit, (audit) => Stream.runCollect(audit.export)),
    ),
  )
  writeFileSync(join(fixture, "lines.jsonl"), [...lines, ""].join("\n"), { mode: 0o600 })
  return { directory: fixture, old, new: (await inLog(longer, verify)).head.hash }
}

const begin = (fixture: Fixture, run: string): void => {
  rmSync(run, { recursive: true, force: true })
  cpSync(fixture.directory, run, { recursive: true })
}

/** Looks at a copy: what looks at a log holds it open, and makes files beside it. */
const check = async (fixture: Fixture, run: string, work: Work, done: boolean): Promise<ReadonlyArray<string>> => {
  const names = readdirSync(run, { recursive: true, encoding: "utf8" })
  const problems = names.flatMap((name) => judgeMode(run, name))
  const copy = `${run}-copy`
  rmSync(copy, { recursive: true, force: true })
  cpSync(run, copy, { recursive: true })
  const look = async (name: string): Promise<AuditReport | undefined> => {
    try {
      const report = await inLog(join(copy, name), verify)
      const accepted = work === "rebuild" && !done ? ["row"] : []
      for (const { kind, message } of report.findings)
        if (!accepted.includes(kind)) problems.push(`${name}: ${message}`)
      return report
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`)
      return undefined
    }
  }
  const head = (await look("infra.db"))?.head.hash
  if (head !== fixture.new && (done || head !== fixture.old)) problems.push(`infra.db ends at ${head}`)
  for (const name of ["backup.db", "backup.db-wal"]) problems.push(...same(fixture, run, name))
  if (work === "restore" && head === fixture.new) problems.push(...(await asides(fixture, copy, look)))
  if (existsSync(join(copy, "new.db"))) {
    const report = await look("new.db")
    if (report?.events !== (work === "replay" ? 3 : 4)) problems.push(`new.db has ${report?.events} events`)
    if (work === "backup" && !existsSync(join(copy, "new.db-logs", "infra_db.gz")))
      problems.push("the deploy log is not there")
  } else if (done && others[work] === "new.db") problems.push("new.db is not there")
  if (done) problems.push(...leftovers(names, join(copy, "infra.db")))
  return problems
}

/** The old log is whole under one of the names beside it. */
const asides = async (fixture: Fixture, copy: string, look: (name: string) => Promise<AuditReport | undefined>) => {
  const names = readdirSync(copy).filter((name) => /\.before-[^.]*Z$/.test(name))
  const reports = await Promise.all(names.map(look))
  return reports.some((report) => report?.head.hash === fixture.old) ? [] : ["the old log is nowhere"]
}

const same = (fixture: Fixture, run: string, name: string): ReadonlyArray<string> => {
  const before = join(fixture.directory, name)
  if (!existsSync(before)) return []
  return existsSync(join(run, name)) && readFileSync(before).equals(readFileSync(join(run, name)))
    ? []
    : [`${name} was changed`]
}

const judgeMode = (run: string, name: string): ReadonlyArray<string> => {
  const mode = lstatSync(join(run, name)).mode & 0o777
  return (mode & 0o077) === 0 ? [] : [`${name} has mode ${mode.toString(8)}`]
}

const leftovers = (names: ReadonlyArray<string>, log: string): ReadonlyArray<string> => [
  ...names.filter((name) => /unfinished|\.copying|\.draft|\.part|\.work/.test(name)).map((name) => `${name} was left`),
  ...withSqlite(log, (found) => found.prepare("SELECT name FROM sqlite_schema WHERE name LIKE '%\\__new' ESCAPE '\\'").all()).map(({ name }) => `the table ${name} was left`), // biome-ignore format: one line
]
