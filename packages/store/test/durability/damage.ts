/** Files that were damaged after they were written: what a bad disk, a torn write or a lost cable leaves behind. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Random, randomFrom } from "../support/random.js"
import type { Inspection } from "./inspect.js"
import type { Workers } from "./processes.js"
import { type Acknowledged, digestOf, problemsOf, released, withConnection } from "./verify.js"

export interface Damaging {
  readonly workers: Workers
  readonly directory: string
  readonly seed: number
  readonly appends: number
  /** At most so many copies are damaged, chosen by chance; all of them if there are fewer. */
  readonly variants: number
  readonly onProgress?: (done: number, of: number) => void
}

/** How one copy was damaged, in words, and from which byte on. */
interface Damage {
  readonly what: string
  readonly at: number
  readonly apply: (file: Buffer) => Buffer
}

export interface Damaged {
  /** How many copies came out how. */
  readonly counts: Readonly<Record<string, number>>
  readonly problems: ReadonlyArray<string>
  readonly slowest: number
}

// https://www.sqlite.org/fileformat2.html, section 4.1
const walHeader = 32
const frameHeader = 24

/**
 * Damages the write-ahead log at every frame. Each copy must hold a prefix of whole appends, down to the last that lies
 * before the damage, or name the damage; and it must take appends again.
 */
export const damageWal = async (options: Damaging): Promise<Damaged> => {
  const { appends, directory, seed, workers } = options
  const path = join(directory, "written.db")
  const writer = workers.start("sizes", path, seed, appends)
  await writer.hear("done")
  // Copied while the writer has it open, as a killed one would leave it.
  const main = readFileSync(path)
  const wal = readFileSync(`${path}-wal`)
  await workers.kill(writer)
  const order = positions(path)
  await released(path)

  const pageSize = wal.readUInt32BE(8)
  const frame = frameHeader + pageSize
  const random = randomFrom(seed)
  const damages: Array<Damage> = [flip(random, 0, walHeader, "the header")]
  for (let at = walHeader; at < wal.length; at += frame) {
    const number = (at - walHeader) / frame
    const middle = at + 1 + random.below(frame - 1)
    damages.push(cut(at, `before frame ${number}`), cut(middle, `within frame ${number}`))
    damages.push({ ...flip(random, at, frame, `frame ${number}`), at })
  }
  // Where the log ended after each append that was acknowledged.
  const ends = writer.all("ack").map(({ events, walSize }) => ({ events: events.at(-1)?.[1] ?? 0, end: walSize ?? 0 }))
  const judge = (damage: Damage, found: Inspection): [string, ReadonlyArray<string>] => {
    if (found.named !== undefined) return [`named ${found.named}`, found.named === "defect" ? [`${found.message}`] : []]
    const kept = ends.reduce((most, { end, events }) => (end <= damage.at ? events : most), 0)
    const problems = [...found.problems, ...found.integrity]
    if (found.events < kept) problems.push(`${found.events} events are left; ${kept} lay before the damage`)
    if (found.events > 0 && order.get(found.events) !== found.hash) problems.push("not a prefix of what was written")
    if (!found.appended) problems.push("it takes no appends")
    return [found.events === order.size ? "whole" : "a prefix of whole appends", problems]
  }
  return examine(options, damages, { main, wal }, "wal", judge)
}

/** Flips bits in the pages of the main file, and counts by what each flip is found. */
export const damagePages = async (options: Damaging): Promise<Damaged> => {
  const { appends, directory, seed, workers } = options
  const path = join(directory, "closed.db")
  const writer = workers.start("sizes", path, seed, appends)
  await writer.hear("done")
  await workers.kill(writer)
  const [digest] = withConnection(path, (connection) => {
    connection.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    return [digestOf(connection)]
  })
  await released(path)
  const main = readFileSync(path)
  const pageSize = main.readUInt16BE(16)
  const random = randomFrom(seed)
  const perPage = Math.max(1, Math.ceil(options.variants / (main.length / pageSize)))
  const damages: Array<Damage> = []
  for (let at = 0; at < main.length; at += pageSize) {
    for (let i = 0; i < perPage; i++) damages.push(flip(random, at, pageSize, `page ${at / pageSize + 1}`))
  }
  const judge = (_: Damage, found: Inspection): [string, ReadonlyArray<string>] => {
    if (found.named === "defect") return ["a defect", [`${found.message}`]]
    if (found.named !== undefined) return [`named "${found.named}" by the log`, []]
    if (found.problems.some((problem) => problem.includes("hash"))) return ["found by the hash chain", []]
    if (found.problems.length > 0) return ["found by comparing rows and events", []]
    if (found.integrity.length > 0) return ["found by integrity_check alone", []]
    if (found.digest === digest) return ["harmless: nothing that is kept has changed", []]
    return ["not found", ["the content changed, and nothing noticed"]]
  }
  return examine(options, damages, { main, wal: undefined }, "main", judge)
}

const cut = (at: number, where: string): Damage => ({ what: `cut ${where}`, at, apply: (file) => file.subarray(0, at) })

const flip = (random: Random, from: number, length: number, where: string): Damage => {
  const at = from + random.below(length)
  const bit = 1 << random.below(8)
  return {
    what: `bit ${bit} of byte ${at} in ${where}`,
    at,
    apply: (file) => {
      const copy = Buffer.from(file)
      copy[at] = (copy[at] as number) ^ bit
      return copy
    },
  }
}

/** Opens each damaged copy in a process that may crash or hang: another takes its place, and the damage is named. */
const examine = async (
  { directory, onProgress, seed, variants, workers }: Damaging,
  all: ReadonlyArray<Damage>,
  files: { readonly main: Buffer; readonly wal: Buffer | undefined },
  which: "main" | "wal",
  judge: (damage: Damage, found: Inspection) => [string, ReadonlyArray<string>],
): Promise<Damaged> => {
  const damages = sample(randomFrom(seed), all, variants)
  const counts: Record<string, number> = {}
  const problems: Array<string> = []
  let slowest = 0
  let inspector = workers.start("inspect")
  let round = 0
  const count = (outcome: string) => {
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  for (const [index, damage] of damages.entries()) {
    const copy = join(directory, `copy-${index}`)
    mkdirSync(copy)
    const path = join(copy, "infra.db")
    writeFileSync(path, which === "main" ? damage.apply(files.main) : files.main)
    if (files.wal !== undefined) writeFileSync(`${path}-wal`, damage.apply(files.wal))
    inspector.tell(path)
    const heard = await Promise.race([inspector.hearOrEnd("result", round), patience(20_000)])
    if (heard === undefined || heard === "hangs") {
      await workers.kill(inspector)
      // The driver gives up the whole process over text that is not UTF-8 (github.com/tursodatabase/libsql/issues/1223).
      const known = heard === undefined && inspector.stderr.includes("Utf8Error")
      count(known ? "the driver aborts: text that is not UTF-8" : (heard ?? "crashes"))
      if (!known) problems.push(`${damage.what}: ${heard ?? "crashes"}: ${inspector.stderr.slice(0, 500)}`)
      inspector = workers.start("inspect")
      round = 0
    } else {
      const found = heard.result as Inspection
      const [outcome, wrong] = judge(damage, found)
      count(outcome)
      problems.push(...wrong.map((problem) => `${damage.what}: ${problem}`))
      slowest = Math.max(slowest, found.milliseconds)
      round += 1
    }
    rmSync(copy, { recursive: true })
    if (index % 100 === 99) onProgress?.(index + 1, damages.length)
  }
  await workers.kill(inspector)
  return { counts, problems, slowest }
}

const patience = (milliseconds: number) =>
  new Promise<"hangs">((resolve) => setTimeout(() => resolve("hangs"), milliseconds).unref())

const sample = <A>(random: Random, from: ReadonlyArray<A>, size: number): ReadonlyArray<A> => {
  const left = [...from]
  while (left.length > size) left.splice(random.below(left.length), 1)
  return left
}

/** The hash at each position of an undamaged log. */
const positions = (path: string): ReadonlyMap<number, string> => {
  const problems = problemsOf(path, [] as ReadonlyArray<Acknowledged>)
  if (problems.length > 0) throw new Error(problems.join("; "))
  return withConnection(
    path,
    (connection) => new Map(connection.prepare("SELECT position, hash FROM events").all() as Array<[number, string]>),
  )
}
