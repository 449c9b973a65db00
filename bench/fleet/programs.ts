/** Whole processes, timed. */
import { spawn } from "node:child_process"
import { resolve } from "node:path"

const launcher = resolve("packages/cli/bin/context.cjs")

/** The words that run the built CLI. */
export const context = (...args: ReadonlyArray<string>): ReadonlyArray<string> => [process.execPath, launcher, ...args]

export interface Timed {
  /** Milliseconds from start to end. */
  readonly took: number
  readonly stdout: string
}

/** Runs a program to its end, which must be one of these. */
export const timed = (
  words: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv,
  input = "",
  ends: ReadonlyArray<number> = [0],
): Promise<Timed> =>
  new Promise((done, failed) => {
    const [program = "", ...args] = words
    const started = performance.now()
    const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] })
    const out: Array<Buffer> = []
    const err: Array<Buffer> = []
    child.stdout.on("data", (data) => out.push(data))
    child.stderr.on("data", (data) => err.push(data))
    child.once("error", failed)
    child.once("close", (code) => {
      const took = performance.now() - started
      const stdout = Buffer.concat(out).toString()
      if (code !== null && ends.includes(code)) return done({ took, stdout })
      failed(
        new Error(`${program} ended with ${code}: ${Buffer.concat(err).toString().slice(0, 500)}${stdout.slice(-300)}`),
      )
    })
    child.stdin.end(input)
  })

/** Reads a program's output until so many bytes have come; gives the milliseconds from the first of them, and ends it. */
export const timedBytes = (
  words: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv,
  bytes: number,
  onBytes: (pid: number, soFar: number) => void = () => {},
): Promise<number> =>
  new Promise((done, failed) => {
    const [program = "", ...args] = words
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] })
    let started = 0
    let seen = 0
    let took: number | undefined
    let said = ""
    child.stderr.on("data", (data) => {
      said += data
    })
    child.stdout.on("data", (data: Buffer) => {
      if (seen === 0) started = performance.now()
      seen += data.length
      onBytes(child.pid as number, seen)
      if (seen < bytes || took !== undefined) return
      took = performance.now() - started
      child.kill("SIGINT")
    })
    child.once("error", failed)
    child.once("close", (code) => {
      if (took !== undefined) return done(took)
      failed(new Error(`${words.join(" ")} ended with ${code} after ${seen} bytes: ${said.slice(0, 500)}`))
    })
  })
