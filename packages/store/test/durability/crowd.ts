/** Many processes on one new file, all at once: writers that are timed, readers that look for what is not whole. */
import { join } from "node:path"
import type { Workers } from "./processes.js"
import { problemsOf } from "./verify.js"

export interface Crowd {
  readonly workers: Workers
  readonly directory: string
  /** Of the file. */
  readonly name: string
  readonly writers: number
  readonly readers: number
  /** Of three events and two rows each. */
  readonly appendsEach: number
}

export const crowd = async ({ appendsEach, directory, name, readers, workers, writers }: Crowd) => {
  const path = join(directory, `${name}.db`)
  // All of them find no file, and make it at the same moment.
  const writing = Array.from({ length: writers }, () => workers.start("append", path, appendsEach))
  const reading = Array.from({ length: readers }, () => workers.start("read", path))
  await Promise.all([...writing, ...reading].map((worker) => worker.hear("starting")))
  const start = performance.now()
  for (const writer of writing) writer.tell("begin")
  const latencies = (await Promise.all(writing.map((writer) => writer.hear("result")))).flatMap(({ result }) => result)
  const seconds = (performance.now() - start) / 1000
  for (const reader of reading) reader.tell("stop")
  const seen = await Promise.all(reading.map(async (reader) => (await reader.hear("result")).result))
  const acknowledged = writing.flatMap((writer) => writer.acknowledged)
  return {
    latencies: latencies as ReadonlyArray<number>,
    perSecond: (writers * appendsEach) / seconds,
    reads: seen.reduce((sum, { reads }) => sum + reads, 0) as number,
    wrongReads: seen.flatMap(({ wrong }) => wrong) as ReadonlyArray<string>,
    acknowledged: acknowledged.length,
    problems: problemsOf(path, acknowledged),
  }
}
