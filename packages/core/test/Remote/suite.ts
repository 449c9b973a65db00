/** What every Remote driver does alike: one suite, run over each of them. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { createServer as createTcpServer, type Server as TcpServer } from "node:net"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { RemoteError } from "../../src/Errors.js"
import { type OutputChunk, Remote, type RemoteCommand, type Target } from "../../src/Remote.js"
import { freePort, until } from "../support/sshd.js"

const hostile = [
  "$(touch pwned)",
  "`touch pwned`",
  "; touch pwned #",
  "it's \"quoted\" 'twice'",
  "two\nlines\n",
  "back\\slash \\n \\0101 \\' \\",
  "!history !! !$",
  "-n",
  "--",
  "",
  " spaces  and\ttabs ",
  "* ? [a] ~ {a,b}",
  "$HOME $" + "{HOME} %s %%",
  "žluťoučký 🐎",
  "\r\u001b[31m\u007f",
]

export interface SuiteTarget {
  readonly target: Target
  readonly layer: Layer.Layer<Remote>
  readonly dispose?: () => Promise<void>
}

/** Declares the suite; `setup` is run once before it. */
export const suite = (name: string, setup: () => Promise<SuiteTarget>): void =>
  void describe(name, () => {
    let under: SuiteTarget
    let runtime: ManagedRuntime.ManagedRuntime<Remote, never>
    let directory: string
    beforeAll(async () => {
      under = await setup()
      runtime = ManagedRuntime.make(under.layer)
    })
    afterAll(async () => {
      await runtime.dispose()
      await under.dispose?.()
    })
    beforeEach(() => {
      directory = realpathSync(mkdtempSync(join(tmpdir(), "remote ")))
    })
    afterEach(() => rmSync(directory, { recursive: true, force: true }))

    const running = (command: RemoteCommand) => Effect.flatMap(Remote, (remote) => remote.run(under.target, command))
    const run = (command: RemoteCommand) => runtime.runPromise(running(command))
    const refusal = (command: RemoteCommand): Promise<RemoteError> => runtime.runPromise(Effect.flip(running(command)))
    const getting = (port: number, path = "/", timeout = 5_000) =>
      Effect.flatMap(Remote, (remote) => remote.get(under.target, { port, path, timeout }))

    it("returns output and status", async () => {
      const result = await run({ script: "echo out; echo err >&2; exit 3" })
      expect(result).toEqual({ exitCode: 3, stdout: "out\n", stderr: "err\n" })
    })

    it("reports 128 + n for a signal", async () => {
      expect((await run({ script: "kill -TERM $$; sleep 5" })).exitCode).toBe(143)
      expect((await run({ script: "kill -KILL $$; sleep 5" })).exitCode).toBe(137)
    })

    it("passes hostile arguments as data", async () => {
      const script = 'for arg in "$@"; do printf "%s\\0" "$arg"; done; ls'
      const { stdout } = await run({ script, args: hostile, cwd: directory })
      expect(stdout).toBe(hostile.map((arg) => `${arg}\0`).join(""))
    })

    it("passes hostile environment values as data", async () => {
      const env = Object.fromEntries(hostile.map((value, index) => [`VALUE_${index}`, value]))
      const script = `${hostile.map((_, index) => `printf "%s\\0" "$VALUE_${index}"`).join("\n")}\nls`
      const { stdout } = await run({ script, env, cwd: directory })
      expect(stdout).toBe(hostile.map((arg) => `${arg}\0`).join(""))
    })

    it("runs scripts with every kind of character", async () => {
      const script = `cat <<'END'\n${hostile.join("\n")}\nEND\n`
      expect((await run({ script })).stdout).toBe(`${hostile.join("\n")}\n`)
    })

    it("sets PATH and names that are read-only in some shells", async () => {
      const result = await run({ script: 'echo "$PATH"', env: { PATH: "/nowhere", PPID: "x", UID: "y" } })
      expect(result.stdout).toBe("/nowhere\n")
    })

    it("takes arguments of some size", async () => {
      const big = "x'\n".repeat(3_000)
      expect((await run({ script: 'printf %s "$1"', args: [big] })).stdout).toBe(big)
    })

    it.each(["plain", "with spaces", "it's", "-dash", "$(touch pwned)", "new\nline"])(
      "runs in the directory %j",
      async (name) => {
        const path = join(directory, name)
        await run({ script: 'mkdir -- "$1"', args: [path] })
        expect((await run({ script: "pwd", cwd: path })).stdout).toBe(`${path}\n`)
        expect((await run({ script: "pwd; cd -- ..; ls", cwd: path })).stdout).toBe(`${path}\n${name}\n`)
      },
    )

    it("begins in the home directory, which ~ means", async () => {
      const home = `${realpathSync(homedir())}\n`
      expect((await run({ script: "pwd -P" })).stdout).toBe(home)
      expect((await run({ script: "pwd -P", cwd: "~" })).stdout).toBe(home)
      expect((await run({ script: "pwd -P", cwd: "~/." })).stdout).toBe(home)
    })

    it("gives a status and says why when the directory does not exist", async () => {
      const result = await run({ script: "echo ran", cwd: join(directory, "missing") })
      expect(result.exitCode).not.toBe(0)
      expect(result.stdout).toBe("")
      expect(result.stderr).toMatch(/missing/)
    })

    it("refuses NUL and impossible variable names", async () => {
      const commands: ReadonlyArray<RemoteCommand> = [
        { script: "echo a\0b" },
        { script: "", args: ["a\0"] },
        { script: "", env: { A: "\0" } },
        { script: "", cwd: "/\0" },
        { script: "", env: { "A=$(touch pwned)": "x" } },
        { script: "", env: { "1A": "x" } },
      ]
      for (const command of commands) {
        const error = await refusal(command)
        expect(error.reason).toBe("refused")
        expect(error.host).toBe(under.target.name)
        expect(error.message).not.toContain("\0")
      }
    })

    it("gives commands an empty input", async () => {
      expect(await run({ script: "cat; echo done", timeout: 5_000 })).toMatchObject({ exitCode: 0, stdout: "done\n" })
    })

    it("keeps the head of long output and decodes it leniently", async () => {
      const result = await run({
        script: "head -c 3000000 /dev/zero | tr '\\0' x; printf 'ab\\377cd' >&2",
        maxOutput: 1_000,
      })
      expect(result.stdout).toBe("x".repeat(1_000))
      expect(result.stderr).toBe("ab\uFFFDcd")
    })

    it("streams output in order while the command runs", async () => {
      const seen: Array<string> = []
      const onOutput = ({ stream, data }: OutputChunk) =>
        Effect.sync(() => void seen.push(`${stream}:${Buffer.from(data)}`))
      // Each step waits until the one before was seen, and the end until all were.
      const go = (step: number) => join(directory, `go ${step}`)
      const step = (words: string, n: number) => `${words}; until [ -e '${go(n)}' ]; do sleep 0.01; done`
      const script = ["echo 1", "echo 2 >&2", "echo 3"].map(step).join("\n")
      const fiber = runtime.runFork(running({ script, onOutput }))
      for (const n of [0, 1, 2]) {
        await until(
          () => seen.length === n + 1,
          () => `saw ${seen}`,
        )
        writeFileSync(go(n), "")
      }
      await runtime.runPromise(Fiber.join(fiber))
      expect(seen).toEqual(["stdout:1\n", "stderr:2\n", "stdout:3\n"])
    })

    it("makes the command wait for a slow reader", async () => {
      const marker = join(directory, "written")
      let release = () => {}
      const gate = new Promise<void>((resolve) => {
        release = resolve
      })
      let bytes = 0
      const onOutput = ({ data }: OutputChunk) =>
        Effect.promise(async () => {
          bytes += data.length
          await gate
        })
      // More than the pipes, the SSH window and our own buffers hold together.
      const script = 'head -c 20000000 /dev/zero; touch "$1"'
      const fiber = runtime.runFork(running({ script, args: [marker], onOutput, maxOutput: 10 }))
      await until(
        () => bytes > 0,
        () => "no output",
      )
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(existsSync(marker)).toBe(false)
      release()
      await runtime.runPromise(Fiber.join(fiber))
      expect(bytes).toBe(20_000_000)
    })

    it("kills the command and its children on timeout", async () => {
      const pids = join(directory, "pids")
      const script = 'sleep 30 & echo $$ $! > "$1"; sleep 30'
      const error = await refusal({ script, args: [pids], timeout: 1_500 })
      expect(error.reason).toBe("timeout")
      expect(error.message).toMatch(/1\.5 s/)
      await expectGone(pids)
    })

    it("kills a command that ignores TERM", async () => {
      const pids = join(directory, "pids")
      const script = 'trap "" TERM; echo $$ > "$1"; while :; do sleep 0.1; done'
      const error = await refusal({ script, args: [pids], timeout: 1_500 })
      expect(error.reason).toBe("timeout")
      await expectGone(pids)
    })

    it("kills the command when it is interrupted", async () => {
      const pids = join(directory, "pids")
      const fiber = runtime.runFork(running({ script: 'echo $$ > "$1"; sleep 30', args: [pids] }))
      await until(
        () => existsSync(pids),
        () => "not started",
      )
      await runtime.runPromise(Fiber.interrupt(fiber))
      await expectGone(pids)
    })

    it("asks a service on its loopback", async () => {
      const paths: Array<string> = []
      const server = createServer((request, response) => {
        paths.push(`${request.method} ${request.url}`)
        response.writeHead(request.url === "/moved" ? 302 : 200, { location: "/" })
        response.write("first part")
        setTimeout(() => response.end(), 20)
      })
      const port = await listening(server)
      const answer = await runtime.runPromise(getting(port, "/health?deep=1"))
      expect(answer.status).toBe(200)
      expect(answer.latency).toBeGreaterThan(0)
      expect(answer.latency).toBeLessThan(5_000)
      expect((await runtime.runPromise(getting(port, "/moved"))).status).toBe(302)
      expect(paths).toEqual(["GET /health?deep=1", "GET /moved"])
      await closed(server)
    })

    it("says that nothing listens on a port", async () => {
      const port = await freePort()
      const error = await runtime.runPromise(Effect.flip(getting(port)))
      expect(error.reason).toBe("refused")
      expect(error.message).toContain(`nothing listens on port ${port}`)
    })

    it("gives up on a service that does not answer", async () => {
      const server = createTcpServer(() => {})
      const port = await listening(server)
      const error = await runtime.runPromise(Effect.flip(getting(port, "/", 200)))
      expect(error.reason).toBe("no-answer")
      server.close()
    })

    it("says that a service does not speak HTTP, without its control characters", async () => {
      const server = createTcpServer((socket) => socket.end("\u001b[31mSMTP ready\r\n"))
      const port = await listening(server)
      const error = await runtime.runPromise(Effect.flip(getting(port)))
      expect(error.reason).toBe("refused")
      expect(error.message).toMatch(/did not answer in HTTP/)
      expect(error.message).not.toMatch(/\p{Cc}/u)
      server.close()
    })

    it("refuses a path that HTTP cannot carry", async () => {
      const error = await runtime.runPromise(Effect.flip(getting(1, "/a b\r\nHost: evil")))
      expect(error.reason).toBe("refused")
    })

    it("has no unknown host key", async () => {
      const key = await runtime.runPromise(Effect.flatMap(Remote, (remote) => remote.unknownHostKey(under.target)))
      expect(key).toBeUndefined()
    })

    const expectGone = async (file: string) => {
      const { stdout } = await run({ script: 'cat "$1"', args: [file] })
      for (const pid of stdout.trim().split(" ").map(Number)) {
        await until(
          () => !isAlive(pid),
          () => `process ${pid} is still there`,
        )
      }
    }
  })

/** A zombie is gone: process 1 of a container may leave it there for a while. */
const isAlive = (pid: number): boolean =>
  /^[^Z]/.test(spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim())

const listening = (server: TcpServer): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { readonly port: number }).port))
  })

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
