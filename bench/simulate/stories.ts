/** Many simulated stories, a share of them in each of as many processes as there are processors. */
import { type ChildProcess, fork } from "node:child_process"
import { availableParallelism } from "node:os"
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

/** A story takes a fraction of a second. One that says nothing for so long, in milliseconds, hangs. */
const patience = 120_000

/** Runs the stories of the seeds from `first` on. The program that calls it calls `tellStories` first. */
export const runStories = async (
  first: number,
  count: number,
  progress: (done: number, problems: number) => void,
): Promise<Stories> => {
  const totals = { events: 0, acknowledged: 0, refused: 0, moot: 0 }
  const problems: Array<string> = []
  let stories = 0
  const take = ({ problems: found, ...figures }: Simulated, seed: number) => {
    problems.push(...found.map((problem) => `DURABILITY_SEED=${seed}: ${problem}`))
    for (const key of Object.keys(totals) as Array<keyof typeof totals>) totals[key] += figures[key]
    stories += 1
    if (stories % 100 === 0) progress(stories, problems.length)
  }
  const processes = Math.min(count, availableParallelism())
  await Promise.all(
    Array.from({ length: processes }, (_, index) =>
      follow(fork(process.argv[1] as string, [argument, `${first + index}`, `${first + count}`, `${processes}`]), take, (seed, how) =>
        problems.push(`DURABILITY_SEED=${seed}: ${how}; the stories after it in its process were not told`),
      ),
    ),
  ) // biome-ignore format: one step
  return { stories, totals, problems }
}

/** In a process of `runStories`: tells its share, and gives true. In any other: false. */
export const tellStories = async (): Promise<boolean> => {
  const [, , word, first, end, stride] = process.argv
  if (word !== argument) return false
  const say = (said: Word) => new Promise((sent) => process.send?.(said, sent))
  for (let seed = Number(first); seed < Number(end); seed += Number(stride)) {
    await say({ begun: seed })
    await say({ ended: seed, story: await simulate(seed) })
  }
  process.disconnect?.()
  return true
}

/** Listens to a process until it ends. What ends it early, or lets it hang, is told with the seed that it was at. */
const follow = (
  child: ChildProcess,
  take: (story: Simulated, seed: number) => void,
  fail: (seed: number, how: string) => void,
): Promise<void> =>
  new Promise((resolve) => {
    let seed: number | undefined
    const hangs = () => {
      fail(seed as number, `it hangs: nothing for ${patience / 1000} s`)
      seed = undefined
      child.kill("SIGKILL")
    }
    let watch = setTimeout(hangs, patience)
    child.on("message", (said: Word) => {
      clearTimeout(watch)
      watch = setTimeout(hangs, patience)
      if ("begun" in said) seed = said.begun
      else {
        take(said.story, said.ended)
        seed = undefined
      }
    })
    child.once("exit", (code, signal) => {
      clearTimeout(watch)
      if (seed !== undefined) fail(seed, `its process ended with ${signal ?? `status ${code}`}`)
      resolve()
    })
  })
