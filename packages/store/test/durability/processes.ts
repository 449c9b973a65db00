/** Child processes that work on a log: started from one bundle, heard line by line, ended for certain. */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import type { Acknowledged } from "./verify.js"

/** What a worker says, one line each. */
export type Said =
  | { readonly kind: "starting" }
  | { readonly kind: "ack"; readonly events: ReadonlyArray<Acknowledged>; readonly walSize?: number }
  /** Milliseconds to the first acknowledged append: since the process began, and since it began to open the log. */
  | { readonly kind: "ready"; readonly sinceStart: number; readonly sinceOpen: number }
  | { readonly kind: "error"; readonly error: Failure }
  | { readonly kind: "held" | "done" }
  | { readonly kind: "result"; readonly result: any }

/** How an effect failed: `tag` is "defect" for what nobody foresaw. */
export interface Failure {
  readonly tag: string
  readonly reason?: string
  readonly message: string
}

export class Worker {
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  readonly #heard: Array<Said> = []
  #listeners: Array<() => void> = []
  #stderr = ""
  #closed = false

  constructor(bundle: string, args: ReadonlyArray<string | number>) {
    this.#child = spawn(process.execPath, ["--expose-gc", bundle, ...args.map(String)], {
      stdio: "pipe",
    })
    this.#child.stderr?.on("data", (chunk) => {
      this.#stderr += chunk
    })
    // A line that the kill cut off is no acknowledgement: it does not parse, or lacks its end.
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      if (!line.endsWith("}")) return
      this.#heard.push(JSON.parse(line))
      this.#wake()
    })
    this.#child.stdin?.on("error", () => {})
    this.#ended = new Promise((resolve) => {
      this.#child.on("close", (code) => {
        this.#closed = true
        this.#wake()
        resolve(code)
      })
    })
  }

  /** The next thing of a kind that it says, from the first on. Fails if it ends without. */
  async hear<K extends Said["kind"]>(kind: K, after = 0): Promise<Extract<Said, { kind: K }>> {
    const said = await this.hearOrEnd(kind, after)
    if (said === undefined) throw new Error(`a worker ended without "${kind}": ${this.#stderr || "no word"}`)
    return said
  }

  async hearOrEnd<K extends Said["kind"]>(kind: K, after = 0): Promise<Extract<Said, { kind: K }> | undefined> {
    for (;;) {
      const said = this.all(kind)[after]
      if (said !== undefined) return said
      const [failure] = this.all("error")
      if (failure !== undefined && kind !== "error")
        throw new Error(`a worker failed: ${JSON.stringify(failure.error)}`)
      if (this.#closed) return undefined
      await new Promise<void>((resolve) => this.#listeners.push(resolve))
    }
  }

  /** All it has said of a kind. */
  all<K extends Said["kind"]>(kind: K): ReadonlyArray<Extract<Said, { kind: K }>> {
    return this.#heard.filter((said) => said.kind === kind) as never
  }

  get acknowledged(): ReadonlyArray<Acknowledged> {
    return this.all("ack").flatMap(({ events }) => events)
  }

  get stderr(): string {
    return this.#stderr
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** Ends it as a power button would, and waits until all it had said has arrived. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL")
    await this.#ended
  }

  /** Waits for its own end; gives the exit code, `null` if a signal ended it. */
  get ended(): Promise<number | null> {
    return this.#ended
  }

  #wake(): void {
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }
}

/** A pool of workers that are all ended at the end. */
export class Workers {
  readonly #all: Array<Worker> = []

  private constructor(readonly bundle: string) {}

  static async open(): Promise<Workers> {
    return new Workers(await bundleWorker())
  }

  start(...args: ReadonlyArray<string | number>): Worker {
    const worker = new Worker(this.bundle, args)
    this.#all.push(worker)
    return worker
  }

  /** Forgets one that has ended: there may be thousands. */
  async kill(worker: Worker): Promise<void> {
    await worker.kill()
    this.#all.splice(this.#all.indexOf(worker), 1)
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.kill()))
    rmSync(this.bundle, { force: true })
  }
}

/** The repository's root, from a source file and from a bundle of it alike. */
const rootOf = (directory: string): string =>
  existsSync(join(directory, "package-lock.json")) ? directory : rootOf(dirname(directory))

let bundles = 0

/** Workers must start fast, thousands of times: they are one file. */
export const bundleWorker = async (entry = "worker.ts"): Promise<string> => {
  const root = rootOf(dirname(fileURLToPath(import.meta.url)))
  bundles += 1
  const outfile = join(root, "node_modules", ".cache", `context-durability-${process.pid}-${bundles}.mjs`)
  mkdirSync(dirname(outfile), { recursive: true })
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, "packages/store/test/durability", entry)],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    conditions: ["@context-engine/source"],
    external: ["libsql", "@libsql/*"],
    logLevel: "warning",
    // What the bundled CommonJS packages expect.
    banner: { js: 'import { createRequire as r } from "node:module"; const require = r(import.meta.url);' },
  })
  return outfile
}
