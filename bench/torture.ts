/** `npm run torture`: what the tests of durability do, for longer. Arguments name the parts to run; none means all. */
import { join } from "node:path"
import { killAtCalls, works } from "../packages/store/test/durability/calls.js"
import { crowd } from "../packages/store/test/durability/crowd.js"
import { type Damaged, type Damaging, damagePages, damageWal } from "../packages/store/test/durability/damage.js"
import { fillDisk, killOnFullDisk, mountSmallDisk, unmount } from "../packages/store/test/durability/full.js"
import { killCreators, killWriters } from "../packages/store/test/durability/kill.js"
import { inSetting, type Setting, summary } from "../packages/store/test/durability/setting.js"
import { noTracing } from "../packages/store/test/durability/strace.js"
import { seedOf } from "../packages/store/test/support/random.js"
import { killSyncers } from "../packages/store/test/sync/killing.js"
import { runStories, tellStories } from "./simulate/stories.js"

interface Outcome {
  readonly what: string
  readonly figures: string
  readonly problems: ReadonlyArray<string>
}

type Part = (setting: Setting, seed: number, progress: (text: string) => void) => Promise<Outcome>

const kill: Part = async (setting, seed, progress) => {
  const onProgress = (kills: number, events: number) => progress(`${kills} kills, ${events} events`)
  const result = await killWriters({ ...setting, seed, kills: 1_000, integrityEvery: 50, onProgress })
  const { acknowledged, events, kills, problems, ready } = result
  const figures = `${acknowledged} acknowledged of ${events} events; ready again ${summary(ready)}`
  return { what: `${kills} kills while writing`, figures, problems }
}

const creation: Part = async (setting, seed) => {
  const { kills, problems, slowest } = await killCreators({ ...setting, seed, kills: 200 })
  return {
    what: `${kills} kills while the file is made`,
    figures: `next one slowest ${slowest.toFixed(0)} ms`,
    problems,
  }
}

const many: Part = async (setting) => {
  const result = await crowd({ ...setting, name: "crowd", writers: 8, readers: 2, appendsEach: 4_000 })
  const { latencies, perSecond, problems, reads, wrongReads } = result
  const figures = `${summary(latencies)}, ${perSecond.toFixed(0)}/s, ${reads} reads beside`
  return { what: "8 processes × 4,000 appends", figures, problems: [...problems, ...wrongReads] }
}

const damage =
  (what: string, run: (options: Damaging) => Promise<Damaged>, appends: number, variants: number): Part =>
  async (setting, seed, progress) => {
    const onProgress = (done: number, of: number) => progress(`${done} of ${of}`)
    const { counts, problems } = await run({ ...setting, seed, appends, variants, onProgress })
    const figures = Object.entries(counts).map(([outcome, count]) => `${count} ${outcome}`)
    return { what, figures: figures.join("; "), problems }
  }

/** Several sizes: the largest is full in the middle of a checkpoint. */
const full: Part = async ({ directory, workers }, seed, progress) => {
  const problems: Array<string> = []
  let acknowledged = 0
  let rounds = 0
  for (const megabytes of [2, 4, 8, 48]) {
    for (const fibers of [1, 16, 64]) {
      const disk = join(directory, `disk-${megabytes}-${fibers}`)
      const refused = mountSmallDisk(disk, megabytes)
      if (refused !== undefined) return { what: "a full disk", figures: `not run: ${refused}`, problems: [] }
      try {
        const filling = { workers, disk, megabytes, fibers, seed: seed + rounds }
        const filled = await fillDisk(filling)
        acknowledged += filled.acknowledged
        problems.push(...filled.problems)
        const failures = [...filled.failures, ...filled.whileFull.filter((one) => one !== "appended")]
        problems.push(...failures.filter(({ reason }) => reason !== "full").map((failure) => JSON.stringify(failure)))
        if (filled.withRoom.some((one) => one !== "appended")) problems.push("no append though there was room")
        if (filled.freshWithRoom !== "appended")
          problems.push(`${megabytes} MB, ${fibers} fibers: a new process, with room: ${filled.freshWithRoom}`)
      } finally {
        unmount(disk)
      }
      if (mountSmallDisk(disk, megabytes) === undefined) {
        const killed = await killOnFullDisk({ workers, disk, megabytes, fibers, seed: seed + rounds })
        problems.push(...killed.problems, ...killed.whileFull.problems, ...killed.whileFull.integrity)
        unmount(disk)
      }
      rounds += 1
      progress(`${megabytes} MB, ${fibers} fibers`)
    }
  }
  return { what: `${rounds} full disks`, figures: `${acknowledged} events acknowledged`, problems }
}

/** Stories of machines on a bad network. `DURABILITY_SEED` says with which seed to begin, or to go on. */
const simulation: Part = async (_, first, progress) => {
  const count = 100_000
  const { problems, stories, totals } = await runStories(first, count, (done, bad, next) => {
    if (done % 1_000 === 0) progress(`${done} stories, ${bad} problems; to go on: DURABILITY_SEED=${next}`)
  })
  return { what: `${stories} simulated stories of several machines`, figures: JSON.stringify(totals), problems }
}

const syncing: Part = async (setting, seed, progress) => {
  const onProgress = (kills: number, events: number) => progress(`${kills} kills, ${events} acknowledged`)
  const { acknowledged, clients, events, problems, servers } = await killSyncers({
    ...setting,
    seed,
    kills: 300,
    onProgress,
  })
  const figures = `${clients} machines, ${servers} servers; ${acknowledged} acknowledged of ${events} events`
  return { what: "300 kills while synchronising", figures, problems }
}

/** Every call of every piece of work on whole files. */
const calls: Part = async ({ directory }, _, progress) => {
  const missing = noTracing()
  if (missing !== undefined) return { what: "kills at system calls", figures: `not run: ${missing}`, problems: [] }
  const problems: Array<string> = []
  const figures: Array<string> = []
  for (const work of works) {
    const onProgress = (done: number, of: number) => progress(`${work}: ${done} of ${of}`)
    const killed = await killAtCalls({ directory, work, onProgress })
    problems.push(...killed.problems)
    figures.push(`${work} ${killed.kills} of ${killed.calls}`)
  }
  return { what: "kills at every system call that changes a file", figures: figures.join("; "), problems }
}

const parts: Readonly<Record<string, Part>> = {
  kill,
  creation,
  many,
  wal: damage("the write-ahead log cut or flipped at every frame", damageWal, 60, Number.POSITIVE_INFINITY),
  pages: damage("bits flipped in every page", damagePages, 150, 2_000),
  full,
  calls,
  syncing,
  simulation,
}

if (await tellStories()) process.exit()

const wanted = process.argv.slice(2).filter((name) => name in parts)
const outcomes: Array<Outcome> = []
const began = performance.now()
for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) {
  const seed = seedOf(name)
  const progress = (text: string) =>
    console.log(`  ${Math.round((performance.now() - began) / 1000)} s  ${name}: ${text}`)
  const outcome = await inSetting((setting) => (parts[name] as Part)(setting, seed, progress))
  // At once: whoever ends it early has what was found until then.
  progress(`${outcome.problems.length === 0 ? "held" : "DID NOT HOLD"}; ${outcome.figures}`)
  outcomes.push(outcome)
}
const cell = (text: string) => text.replaceAll("|", "\\|")
console.log("\n| what | held | figures |\n|---|---|---|")
for (const { figures, problems, what } of outcomes) {
  console.log(`| ${what} | ${problems.length === 0 ? "yes" : `NO: ${problems.length} problems`} | ${cell(figures)} |`)
}
for (const { problems, what } of outcomes)
  for (const problem of problems.slice(0, 20)) console.log(`${what}: ${problem}`)
if (outcomes.some(({ problems }) => problems.length > 0)) process.exitCode = 1
