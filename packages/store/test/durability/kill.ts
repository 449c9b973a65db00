/** Writers that are killed at random moments, over and over, on one log. */
import { join } from "node:path"
import { randomFrom } from "../support/random.js"
import type { Worker, Workers } from "./processes.js"
import { integrityProblems, problemsOf, released, Verifier, withConnection } from "./verify.js"

export interface Killing {
  readonly workers: Workers
  readonly directory: string
  readonly seed: number
  readonly kills: number
  /** A full check of the file's structure after so many kills: its cost grows with the file. */
  readonly integrityEvery: number
  readonly onProgress?: (kills: number, events: number) => void
}

export interface Killed {
  readonly kills: number
  readonly events: number
  readonly acknowledged: number
  readonly problems: ReadonlyArray<string>
  /** Milliseconds from opening the log to the first append of the process after a kill. */
  readonly ready: ReadonlyArray<number>
  /** The same from the start of the process, with all that Node does before. */
  readonly sinceStart: ReadonlyArray<number>
}

/**
 * Kills writers until enough have died. In each round one or two processes of some fibers write; most are killed while they
 * write, some while they open the log. The next round's processes are the fresh ones that must be ready.
 */
export const killWriters = async (options: Killing): Promise<Killed> => {
  const { directory, integrityEvery, kills, onProgress, seed, workers } = options
  const path = join(directory, "killed.db")
  const random = randomFrom(seed)
  const verifier = new Verifier()
  const ready: Array<number> = []
  const sinceStart: Array<number> = []
  const acknowledged: Array<Worker["acknowledged"]> = []
  let done = 0
  let checked = 0

  /** Kills one at a moment of its own; gives whether it had come to write. */
  const live = async (writer: Worker): Promise<boolean> => {
    await writer.hear("starting")
    const early = random.next() < 0.2
    const first = early ? undefined : await writer.hear("ready")
    if (first !== undefined) {
      ready.push(first.sinceOpen)
      sinceStart.push(first.sinceStart)
      verify()
      // Else the file would never have been left by everyone, and nothing would be recovered.
      await released(path)
    }
    await delay(random.next() * (early ? 25 : 60))
    await workers.kill(writer)
    done += 1
    return first !== undefined
  }
  const verify = () =>
    withConnection(path, (connection) => {
      verifier.advance(connection)
      // What the dead were told before they died.
      for (const events of acknowledged.slice(checked)) verifier.acknowledged(events)
      checked = acknowledged.length
    })

  while (done < kills) {
    const writers = Array.from({ length: Math.min(1 + random.below(2), kills - done) }, () =>
      workers.start("write", path, random.below(2 ** 30), 1 + random.below(8)),
    )
    const before = done
    await Promise.all(writers.map(live))
    acknowledged.push(...writers.map((writer) => writer.acknowledged))
    if (Math.floor(done / integrityEvery) > Math.floor(before / integrityEvery)) {
      verifier.problems.push(...withConnection(path, integrityProblems))
      await released(path)
      onProgress?.(done, verifier.position)
    }
    if (verifier.problems.length > 0) break
  }
  const all = acknowledged.flat()
  const problems = [...verifier.problems, ...problemsOf(path, all)]
  // The last that were killed wrote after the verifier had looked.
  const events = withConnection(path, (connection) => connection.prepare("SELECT count(*) FROM events").get()[0])
  return { kills: done, events, acknowledged: all.length, problems, ready, sinceStart }
}

/** Kills processes while they make a log of their own, and asks whether the next one can work with what they left. */
export const killCreators = async ({ directory, kills, seed, workers }: Omit<Killing, "integrityEvery">) => {
  const random = randomFrom(seed)
  const inspector = workers.start("inspect")
  const problems: Array<string> = []
  let slowest = 0
  for (let i = 0; i < kills; i++) {
    const path = join(directory, `created-${i}.db`)
    const writer = workers.start("write", path, seed + i, 2)
    await writer.hear("starting")
    await delay(random.next() * 20)
    await workers.kill(writer)
    inspector.tell(path)
    const { result } = await inspector.hear("result", i)
    slowest = Math.max(slowest, result.milliseconds)
    if (!result.appended) problems.push(`killed creator ${i}: ${result.named}: ${result.message}`)
    problems.push(...result.problems, ...result.integrity, ...problemsOf(path, writer.acknowledged))
  }
  await workers.kill(inspector)
  return { kills, problems, slowest }
}

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
