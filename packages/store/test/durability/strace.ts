/** Runs a program until one of its system calls, and no further. */
import { spawnSync } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A system call that changes what is on the disk: which, and the how many-th of its name it is. */
export interface Call {
  readonly name: string
  readonly number: number
  readonly text: string
}

/** Between two of these nothing changes, so a kill at each of them is a kill anywhere. */
const changing = "openat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,ftruncate,write,pwrite64,writev,fsync,fdatasync,chmod,fchmod" // biome-ignore format: one list

const options = { encoding: "utf8", env: { ...process.env, UV_THREADPOOL_SIZE: "1" } } as const

/** Why no program can be traced here; `undefined` if it can. */
export const noTracing = (): string | undefined => {
  const ended = spawnSync("strace", ["-f", "-qq", "-e", "trace=none", "true"], options)
  if (ended.error !== undefined) return "strace is not installed (the package strace)"
  return ended.status === 0 ? undefined : `strace may not trace here: ${ended.stderr.trim()}`
}

const trace = (expression: ReadonlyArray<string>, program: ReadonlyArray<string>, output: string) =>
  spawnSync(
    "strace",
    ["-f", "-qq", "-y", "-s", "0", ...expression, "-o", output, process.execPath, ...program],
    options,
  )

/** The calls of a program's main thread that change something in a directory, in their order. It runs to its end. */
export const callsOf = (program: ReadonlyArray<string>, directory: string): ReadonlyArray<Call> => {
  const output = join(tmpdir(), `context-strace-${process.pid}`)
  const ended = trace(["-e", `trace=${changing}`], program, output)
  if (ended.status !== 0) throw new Error(`not traced: ${ended.stderr}`)
  const lines = readFileSync(output, "utf8").trim().split("\n")
  rmSync(output)
  const main = lines[0]?.split(" ")[0]
  const numbers = new Map<string, number>()
  return lines.flatMap((line) => {
    const [, thread, name = "", rest = ""] = /^(\d+) +(\w+)\((.*)$/.exec(line) ?? []
    if (thread !== main) return []
    const number = (numbers.get(name) ?? 0) + 1
    numbers.set(name, number)
    const changes = rest.includes(directory) && (name !== "openat" || rest.includes("O_CREAT"))
    return changes ? [{ name, number, text: `${name}(${rest}` }] : []
  })
}

/** Runs a program and kills it as it begins a call. Gives whether it came that far. */
export const killAt = ({ name, number }: Call, program: ReadonlyArray<string>): boolean => {
  const expression = ["-e", `trace=${name}`, "-e", `inject=${name}:signal=SIGKILL:when=${number}`]
  const ended = trace(expression, program, "/dev/null")
  return ended.signal === "SIGKILL" || ended.status === 137
}
