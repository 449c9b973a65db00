/** Starts machines as processes. */
import { type ChildProcess, spawn } from "node:child_process"
import { rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { build } from "esbuild"
import type { Sshd } from "../../support/sshd.js"
import type { Setup } from "./setting.js"

const root = resolve(import.meta.dirname, "../../../../..")

export interface Machine {
  readonly process: ChildProcess
  /** All that the deployment has printed so far. */
  readonly output: () => string
  /** What it said of itself, and of what went wrong. */
  readonly said: () => string
  /** Returns when it has printed some text, or fails if it ends without. */
  readonly printed: (text: string) => Promise<void>
  readonly ended: Promise<number | null>
}

/** The program, built once for a file of tests. */
export const makeMachines = async () => {
  // Where packages are found that cannot be bundled.
  const program = join(root, `node_modules/.cache/context-machine-${process.pid}.mjs`)
  await build({
    absWorkingDir: root,
    entryPoints: [join(import.meta.dirname, "machine.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    conditions: ["@context-engine/source"],
    logLevel: "error",
    external: ["ssh2"],
    // What the bundled CommonJS packages expect.
    banner: { js: 'import { createRequire as r } from "node:module"; const require = r(import.meta.url);' },
  })
  const start = (sshd: Sshd, setup: Setup, options: object = {}): Machine => {
    const { host, hostKey, keyPath, port, user } = sshd
    const argument = JSON.stringify({ sshd: { host, hostKey, keyPath, port, user }, setup, ...options })
    const child = spawn(process.execPath, ["--expose-gc", program, argument], { stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    let said = ""
    child.stdout.on("data", (data) => {
      output += data
    })
    child.stderr.on("data", (data) => {
      said += data
    })
    const ended = new Promise<number | null>((done) => child.once("close", done))
    const printed = (text: string) =>
      new Promise<void>((done, fail) => {
        const look = () => output.includes(text) && done()
        child.stdout.on("data", look)
        look()
        child.once("close", () => fail(new Error(`it ended without printing ${text}: ${said}`)))
      })
    return { process: child, output: () => output, said: () => said, printed, ended }
  }
  return { start, dispose: () => rmSync(program, { force: true }) }
}
