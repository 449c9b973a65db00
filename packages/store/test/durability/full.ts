/** A disk of a few megabytes that is filled to the brim by the log itself. */
import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Failure, Worker, Workers } from "./processes.js"
import { problemsOf, released } from "./verify.js"

/** Mounts a small disk in memory; gives why not, where that is not allowed. */
export const mountSmallDisk = (at: string, megabytes: number): string | undefined => {
  mkdirSync(at, { recursive: true })
  const errors: Array<string> = []
  for (const [program, ...args] of [["mount"], ["sudo", "-n", "mount"]] as ReadonlyArray<[string, ...Array<string>]>) {
    try {
      execFileSync(program, [...args, "-t", "tmpfs", "-o", `size=${megabytes}m,mode=777`, "tmpfs", at], {
        stdio: "pipe",
      })
      return undefined
    } catch (error) {
      errors.push((error as Error).message.trim().split("\n").join(" "))
    }
  }
  return errors.join("; ")
}

export const unmount = (at: string): void => {
  for (const [program, ...args] of [["umount"], ["sudo", "-n", "umount"]] as ReadonlyArray<
    [string, ...Array<string>]
  >) {
    try {
      // At once also where a driver closes a file of it only when its memory is taken back.
      return void execFileSync(program, [...args, "--lazy", at], { stdio: "pipe" })
    } catch {}
  }
}

export interface Filling {
  readonly workers: Workers
  /** The directory on the small disk. */
  readonly disk: string
  readonly megabytes: number
  readonly fibers: number
  readonly seed: number
}

export interface Filled {
  /** How the fibers failed when there was no more room. */
  readonly failures: ReadonlyArray<Failure>
  readonly acknowledged: number
  /** What was wrong, at each stage. */
  readonly problems: ReadonlyArray<string>
  /** What tries came to: on the full disk, then with room, by the same process and by a new one. */
  readonly whileFull: ReadonlyArray<Failure | "appended">
  readonly withRoom: ReadonlyArray<Failure | "appended">
  readonly freshWhileFull: string
  readonly freshWithRoom: string
}

export const fillDisk = async ({ disk, fibers, megabytes, seed, workers }: Filling): Promise<Filled> => {
  const path = join(disk, "infra.db")
  const ballast = join(disk, "ballast")
  // What will be taken away to make room again: as much as is in use, for a checkpoint writes all of it a second time.
  writeFileSync(ballast, Buffer.alloc((megabytes * 2 ** 20) / 2))
  const problems: Array<string> = []
  const check = (stage: string, worker: Worker) =>
    problems.push(...problemsOf(path, worker.acknowledged).map((problem) => `${stage}: ${problem}`))
  const writer = workers.start("fill", path, seed, fibers)
  const failures = (await writer.hear("result")).result
  check("while full", writer)
  const fresh = async (round: number) => {
    inspector.tell(path)
    const { result } = await inspector.hear("result", round)
    problems.push(...result.problems, ...result.integrity)
    return result.named ?? "appended"
  }
  const inspector = workers.start("inspect")
  writer.tell("again")
  const whileFull = (await writer.hear("result", 1)).result
  // Every last page: even what the file system had rounded up is taken.
  const filler = join(disk, "filler")
  try {
    for (;;) writeFileSync(filler, Buffer.alloc(4096), { flag: "a" })
  } catch {}
  const freshWhileFull = await fresh(0)
  check("after a fresh process looked", writer)
  rmSync(ballast)
  rmSync(filler)
  writer.tell("again")
  const withRoom = (await writer.hear("result", 2)).result
  const freshWithRoom = await fresh(1)
  check("with room again", writer)
  writer.tell("end")
  if ((await writer.ended) !== 0) problems.push(`the writer crashed: ${writer.stderr}`)
  await workers.kill(inspector)
  check("after it was closed", writer)
  await released(path)
  return {
    failures,
    acknowledged: writer.acknowledged.length,
    problems,
    whileFull,
    withRoom,
    freshWhileFull,
    freshWithRoom,
  }
}

/** The other end: a process killed on a full disk, and one that then starts on it, with nothing to spare. */
export const killOnFullDisk = async ({ disk, fibers, seed, workers }: Filling) => {
  const path = join(disk, "killed.db")
  const writer = workers.start("fill", path, seed, fibers)
  await writer.hear("result")
  await workers.kill(writer)
  const inspector = workers.start("inspect")
  inspector.tell(path)
  const whileFull = (await inspector.hear("result")).result
  await workers.kill(inspector)
  const problems = problemsOf(path, writer.acknowledged)
  await released(path)
  return { whileFull, problems }
}
