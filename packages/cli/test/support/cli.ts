/** Runs the real CLI as a child process. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { quote } from "@context-engine/core/Shell"
import { afterAll, expect } from "vitest"
import { auditAll } from "../../../store/test/support/audited.js"
import { bundle } from "./bundle.js"

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly cwd?: string
  /** Runs it as this user. */
  readonly uid?: number | undefined
  /** Called when it runs, before it has printed anything. */
  readonly began?: (signal: (name: NodeJS.Signals) => void) => void
  /** Called with what it has printed so far; may end it with a signal, or type something if it is on a terminal. */
  readonly watch?: (soFar: string, signal: (name: NodeJS.Signals) => void, type: (keys: string) => void) => void
  /** Runs it on a terminal of its own, whose output is all `stdout`. Then nothing is typed but by `watch`. */
  readonly terminal?: boolean
}

/** Runs `context` with these arguments until it ends. */
export const context = async (args: ReadonlyArray<string>, options: RunOptions = {}): Promise<Ended> => {
  const path = await bundle()
  return new Promise((resolve, reject) => {
    const command = [process.execPath, path, ...args]
    // In the shell's place: one that stayed in front of it would get its Ctrl-C, too, and some end of it.
    const [program = "", ...rest] = options.terminal
      ? ["script", "-qfec", `exec ${command.map(quote).join(" ")}`, "/dev/null"]
      : command
    const { cwd, env, uid } = options
    const child = spawn(program, rest, {
      env: { ...plainEnv(), ...env },
      cwd,
      ...(uid !== undefined && { uid, gid: uid }),
    })
    const signal = (name: NodeJS.Signals) => void child.kill(name)
    options.began?.(signal)
    const output = { stdout: "", stderr: "" }
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text
        options.watch?.(output.stdout + output.stderr, signal, (keys) => child.stdin.write(keys))
      })
    }
    child.once("error", reject)
    child.once("close", (code, signal) => resolve({ code: code ?? (signal === null ? -1 : 1000), ...output }))
    if (options.terminal) child.once("exit", () => child.stdin.end())
    else child.stdin.end(options.input ?? "")
  })
}

/** A file to `--require`: every date that a program then asks for is ahead by so many milliseconds. */
export const clockAhead = (directory: string, wrong: number): string => {
  const file = join(directory, "clock.cjs")
  writeFileSync(
    file,
    `const Right = Date
     globalThis.Date = class Date extends Right {
       constructor(...given) { if (given.length === 0) super(Right.now() + ${wrong}); else super(...given) }
       static now() { return Right.now() + ${wrong} }
     }`,
  )
  return file
}

/** A log of its own in a directory of its own, and ways to work on it. Every log in it is audited in the end. */
export const workspace = () => {
  const directory = mkdtempSync(join(tmpdir(), "context-cli-"))
  const db = join(directory, "infra.db")
  // What a command left behind it to push may still be at work.
  afterAll(async () => {
    await auditAll(directory).finally(() => rmSync(directory, { recursive: true, force: true, maxRetries: 20 }))
  })
  const run = (line: string | ReadonlyArray<string>, options: RunOptions = {}) =>
    context(["infra", ...(typeof line === "string" ? words(line) : line)], {
      ...options,
      env: { CONTEXT_DB: db, HOME: directory, ...options.env },
    })
  const succeed = async (line: string | ReadonlyArray<string>, options?: RunOptions) => {
    const ended = await run(line, options)
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    return ended.stdout
  }
  return {
    directory,
    db,
    /** Runs `context infra …`. */
    run,
    /** Runs it, expects status 0, and gives its standard output. */
    succeed,
    /** Runs it with `--json` and gives the document. */
    json: async (line: string | ReadonlyArray<string>, options?: RunOptions): Promise<any> =>
      JSON.parse(await succeed(typeof line === "string" ? `${line} --json` : [...line, "--json"], options)),
    /** How many events the log holds. */
    events: () => countEvents(db),
  }
}

/** A server that was reached: on a machine as busy as one that runs tests it may count as degraded, by its load. */
export const reached = expect.stringMatching(/^(online|degraded)$/)

/** Splits a line as a shell would, as far as tests need it. */
export const words = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? "")

const plainEnv = (): NodeJS.ProcessEnv => {
  const { CONTEXT_DB: _, CONTEXT_ACTOR: __, CONTEXT_TOKEN: ___, NO_COLOR: ____, ...env } = process.env
  // Unsigned unless a test wants it: a machine that joins takes the first position of the log.
  return { ...env, CONTEXT_KEY: "off" }
}

const Native = createRequire(import.meta.url)("libsql")

const countEvents = (db: string): number => {
  const database = new Native(db, { timeout: 5000 })
  try {
    return database.prepare("SELECT count(*) AS n FROM events").get().n
  } finally {
    database.close()
  }
}
