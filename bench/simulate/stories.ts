/** Many simulated stories, a share of them in each of as many processes as there are processors. */
import { type ChildProcess, fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { setImmediate } from "node:timers/promises"
import { type Simulated, simulate } from "../../packages/store/test/sync/simulation.js"

export interface Stories {
  readonly stories: number
  readonly totals: Omit<Simulated, "problems">
  /** Each begins with the seed that shows it again. */
  readonly problems: ReadonlyArray<string>
}

/** What a process says: which story it begins, and how that ended. */
type Word = { readonly begun: number } | { readonly ended: number; readonly story: Simulated }

const argument = "--stories"

/**
 * A story takes a fraction of a second. One that says nothing for so long, in seconds, hangs. They are counted and not taken from
 * a clock, which goes on where the whole machine sleeps.
 */
const patience = 120

/**
 * Runs the stories of the seeds from `first` on. The program that calls it calls `tellStories` first. `progress` is told, with
 * the rest, the seed to go on with later: all before it are told. A problem is printed at once.
 */
export const runStories = async (
  first: number,
  count: number,
  progress: (done: number, problems: number, next: number) => void,
): Promise<Stories> => {
  const totals = { ...nothing }
  const problems: Array<string> = []
  let stories = 0
  const processes = Math.min(count, availableParallelism())
  const next = Array.from({ length: processes }, (_, index) => first + index)
  const take = ({ problems: found, ...figures }: Simulated, seed: number) => {
    for (const problem of found) {
      problems.push(`DURABILITY_SEED=${seed}: ${problem}`)
      console.log(problems.at(-1))
    }
    for (const key of Object.keys(totals) as Array<keyof typeof totals>) totals[key] += figures[key]
    stories += 1
    next[(seed - first) % processes] = seed + processes
    if (stories % 100 === 0) progress(stories, problems.length, Math.min(...next))
  }
  /** Tells the share that begins with this seed. A story that its process does not come out of is left to itself. */
  const share = async (from: number): Promise<void> => {
    if (from >= first + count) return
    const words = [argument, from, first + count, processes].map(String)
    const failed = await follow(fork(process.argv[1] as string, words), take)
    if (failed === undefined) return
    take({ ...nothing, problems: [failed.how] }, failed.seed)
    await share(failed.seed + processes)
  }
  await Promise.all([...next].map(share))
  return { stories, totals, problems }
}

const nothing = { events: 0, acknowledged: 0, refused: 0, moot: 0, forged: 0 }

/** In a process of `runStories`: tells its share, and gives true. In any other: false. */
export const tellStories = async (): Promise<boolean> => {
  const [, , word, first, end, stride] = process.argv
  if (word !== argument) return false
  const say = (said: Word) => new Promise((sent) => process.send?.(said, sent))
  for (let seed = Number(first); seed < Number(end); seed += Number(stride)) {
    await say({ begun: seed })
    await say({ ended: seed, story: await simulate(seed) })
    // Stories are all microtasks, and Node frees what native objects hold only when its event loop turns: 2.7 MB a story.
    await setImmediate()
  }
  process.disconnect?.()
  return true
}

/** Listens to a process until it ends. What ends it early, or lets it hang, is its answer, with the seed that it was at. */
const follow = (
  child: ChildProcess,
  take: (story: Simulated, seed: number) => void,
): Promise<{ readonly seed: number; readonly how: string } | undefined> =>
  new Promise((resolve) => {
    let seed: number | undefined
    let hangs = false
    let silent = 0
    const watch = setInterval(() => {
      silent += 1
      if (silent < patience || seed === undefined) return
      hangs = true
      child.kill("SIGKILL")
    }, 1_000)
    child.on("message", (said: Word) => {
      silent = 0
      if ("begun" in said) seed = said.begun
      else {
        take(said.story, said.ended)
        seed = undefined
      }
    })
    child.once("exit", (code, signal) => {
      clearInterval(watch)
      const how = hangs ? `it hangs: nothing for ${patience} s` : `its process ended with ${signal ?? `status ${code}`}`
      resolve(seed === undefined ? undefined : { seed, how })
    })
  })
