/** `sync watch`, and `serve`, which runs it: by hand it is one process, and beside a server another one. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isHeld } from "@context-engine/store/sync/lock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { type Ended, type RunOptions, workspace } from "./support/cli.js"

// Each step is a program that starts, on a machine that may have much else to do.
vi.setConfig({ testTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld.close())

/** A command that goes on until it is told to end. */
interface Running {
  readonly until: (pattern: RegExp) => Promise<string>
  readonly said: () => string
  readonly end: (signal?: NodeJS.Signals) => Promise<Ended>
  readonly ended: Promise<Ended>
}

const started: Array<Running> = []
afterEach(async () => {
  for (const one of started.splice(0)) await one.end("SIGKILL")
})

/** A machine with a log and a configuration of its own. */
const machine = (name: string) => {
  const place = workspace()
  const file = join(place.directory, "sync.json")
  const own = { CONTEXT_SYNC_FILE: file, CONTEXT_ACTOR: name }
  const run = (line: string, { env, ...options }: RunOptions = {}) =>
    place.run(line, { ...options, env: { ...own, ...env } })
  const start = (line: string, env: Record<string, string> = {}): Running => {
    let said = ""
    let begun: (signal: (name: NodeJS.Signals) => void) => void = () => {}
    const signal = new Promise<(name: NodeJS.Signals) => void>((resolve) => {
      begun = resolve
    })
    const waiting = new Set<() => void>()
    const watch: RunOptions["watch"] = (soFar) => {
      said = soFar
      for (const look of waiting) look()
    }
    const ended = run(line, { env, began: begun, watch })
    const running: Running = {
      said: () => said,
      until: (pattern) =>
        new Promise((resolve, reject) => {
          const look = () => {
            const found = pattern.exec(said)
            if (found === null) return
            waiting.delete(look)
            resolve(found[1] ?? found[0])
          }
          waiting.add(look)
          look()
          void ended.then(() => reject(new Error(`it ended without ${pattern}: ${said}`)))
        }),
      end: async (name = "SIGTERM") => {
        // Also before it has said a word.
        ;(await signal)(name)
        return ended
      },
      ended,
    }
    started.push(running)
    return running
  }
  const connect = async () => {
    const { code, stderr } = await run(`sync connect ${sqld.url}`, { input: Redacted.value(sqld.token()) })
    expect(code, stderr).toBe(0)
  }
  const json = async (line: string) => JSON.parse((await run(`${line} --json`)).stdout)
  const names = async () => (await json("server list")).map((row: { name: string }) => row.name)
  return { ...place, file, run, start, connect, json, names }
}

const isWatched = (db: string) => Effect.runPromise(isHeld(db, "watch"))
const off = { env: { CONTEXT_SYNC: "off" } }

/** The processes that watch a log. */
const watchersOf = (db: string): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")
        return words.includes("watch") && words.includes(db)
      } catch {
        return false
      }
    })
    .map(Number)

describe("context infra sync watch", () => {
  const laptop = machine("ada")
  const phone = machine("bob")

  it("says what to do where there is nothing to watch", async () => {
    const { code, stderr } = await laptop.run("sync watch")
    expect(code).toBe(1)
    expect(stderr).toContain("context infra sync connect <url>")
    expect((await laptop.run("sync watch --every soon")).code).toBe(2)
    expect((await laptop.run("sync watch --every 1ms")).code).toBe(2)
  })

  it("pushes at once what any process appends, and brings what others did", async () => {
    await laptop.connect()
    await phone.connect()
    const watcher = laptop.start("sync watch --every 1s --json")
    await watcher.until(/"what":"watching"/)
    expect((await laptop.run("server add alpha --ip 10.0.0.1", off)).code).toBe(0)
    await watcher.until(/"what":"synced","pushed":1/)
    expect(await phone.json("sync now")).toMatchObject({ pulled: 1 })
    await phone.run("server add beta --ip 10.0.0.2 --wait-sync")
    await watcher.until(/"pulled":1/)
    expect(await laptop.names()).toEqual(["alpha", "beta"])
    for (const line of watcher.said().trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("at")
    // Whoever asks for it waits its turn, and finds nothing left to do.
    expect((await laptop.run("server add gamma --ip 10.0.0.3 --wait-sync")).code).toBe(0)
    expect(await laptop.json("sync now")).toMatchObject({ skipped: false, pending: 0 })
    const ended = await watcher.end()
    expect(ended).toMatchObject({ code: 130, stderr: "" })
    expect(await isWatched(laptop.db)).toBe(false)
  })

  it("is done by one process at a time: the next one waits for its turn, and commands leave it to them", async () => {
    const first = laptop.start("sync watch")
    await first.until(/keeping this log/)
    const second = laptop.start("sync watch")
    await second.until(/waiting for its turn/)
    const trace = join(laptop.directory, "spawned")
    const spy = join(laptop.directory, "spy.cjs")
    writeFileSync(
      spy,
      `const c = require("node:child_process"), f = require("node:fs"), spawn = c.spawn
       c.spawn = (...args) => { f.appendFileSync(${JSON.stringify(trace)}, args[1].join(" ") + "\\n"); return spawn(...args) }`,
    )
    const spying = { env: { NODE_OPTIONS: `--require=${spy}` } }
    await laptop.run("server update alpha --notes one", spying)
    expect(existsSync(trace)).toBe(false)
    await first.end("SIGKILL")
    await second.until(/keeping this log/)
    await second.end()
    const behind = () => readFileSync(trace, "utf8").split("\n").length - 1
    await laptop.run("server update alpha --notes two", spying)
    expect(behind()).toBe(1)
    // It stays for some seconds: the next command leaves it to that one.
    await expect.poll(() => isWatched(laptop.db), { timeout: 60_000 }).toBe(true)
    await laptop.run("server update alpha --notes three", spying)
    expect(behind()).toBe(1)
    await expect.poll(() => laptop.json("sync status"), { timeout: 60_000 }).toMatchObject({ pending: 0 })
    await expect.poll(() => isWatched(laptop.db), { timeout: 60_000 }).toBe(false)
  })

  it("ends when it is idle, where that is asked for, and at once if another one watches", async () => {
    expect((await laptop.run("sync watch --idle soon")).code).toBe(2)
    const watcher = laptop.start("sync watch")
    await watcher.until(/keeping this log/)
    expect(await laptop.run("sync watch --idle 1h")).toEqual({ code: 0, stdout: "", stderr: "" })
    await watcher.end()
    const idle = laptop.start("sync watch --idle 1s")
    await idle.until(/keeping this log/)
    expect((await idle.ended).code).toBe(0)
  })

  it("tells once that the link is away, once that it is back, and loses nothing", async () => {
    const watcher = laptop.start("sync watch --every 1s")
    await watcher.until(/keeping this log/)
    await sqld.kill()
    await watcher.until(/cannot be reached/)
    await laptop.run("server add delta --ip 10.0.0.4", off)
    // As often as it tries again: it is said once.
    const tried = async () => (await laptop.json("sync status")).lastError?.at
    const before = await tried()
    await expect.poll(tried, { timeout: 60_000 }).not.toBe(before)
    await sqld.start()
    await watcher.until(/is there again/)
    await watcher.until(/1 event pushed/)
    expect(watcher.said().match(/cannot be reached/g)).toHaveLength(1)
    expect((await watcher.end("SIGINT")).code).toBe(130)
    await phone.run("sync now")
    expect(await phone.names()).toContain("delta")
  })

  it("prints a command that could not stand as it happens", async () => {
    await phone.run("server remove delta --yes --wait-sync")
    await laptop.run("server update delta --notes mine", off)
    const watcher = laptop.start("sync watch")
    await watcher.until(
      /✗ "server delta changed: notes": the server "delta" that it was about is not there any more\n {2}context infra sync rejected/,
    )
    await watcher.end()
  })

  it("says once what a person has to do, and goes on when it is done", async () => {
    const good = readFileSync(laptop.file, "utf8")
    const expired = Redacted.value(sqld.token({ a: "rw", exp: 1_000 }))
    writeFileSync(laptop.file, JSON.stringify({ url: sqld.url, token: expired }), { mode: 0o600 })
    const watcher = laptop.start("sync watch --every 1s")
    await watcher.until(/does not accept the token.*\n {2}with a new token: context infra sync connect <url>/)
    await laptop.run("server add epsilon --ip 10.0.0.5", off)
    writeFileSync(laptop.file, good)
    await watcher.until(/\d events? pushed/)
    expect(watcher.said().match(/does not accept/g)).toHaveLength(1)
    expect(watcher.said()).not.toContain(expired)
    // Who leaves the shared log is not brought back to it.
    expect((await laptop.run("sync disconnect")).code).toBe(0)
    await watcher.until(/no shared log is configured/)
    expect(await laptop.json("sync status")).toMatchObject({ remote: null, logId: null })
  })
})

describe("context infra serve", () => {
  const laptop = machine("ada")
  const phone = machine("bob")
  const pushes = async (name: string) => {
    await laptop.run(`server add ${name} --ip 10.0.0.9`, off)
    await expect
      .poll(async () => (await phone.json("sync now")) && (await phone.names()), { timeout: 60_000 })
      .toContain(name)
  }

  it("keeps both logs together by a process beside it, which is started again and ends with it", async () => {
    await phone.connect()
    const server = laptop.start("serve --port 0", { CONTEXT_TOKEN: "hers" })
    const url = await server.until(/serving on (\S+),/)
    const state = async (): Promise<unknown> =>
      (await fetch(`${url}/v1/sync`, { headers: { authorization: "Bearer hers" } })).json()
    expect(await state()).toMatchObject({ remote: null })
    expect(watchersOf(laptop.db)).toEqual([])
    await laptop.connect()
    expect(await state()).toMatchObject({ remote: sqld.url })
    await pushes("one")
    const [child] = watchersOf(laptop.db) as [number]
    process.kill(child, "SIGKILL")
    await pushes("two")
    expect(watchersOf(laptop.db)).not.toContain(child)
    await server.end()
    expect(watchersOf(laptop.db)).toEqual([])
  })

  it("takes it along even when it is killed", async () => {
    const server = laptop.start("serve --port 0")
    await expect.poll(() => isWatched(laptop.db), { timeout: 60_000 }).toBe(true)
    await server.end("SIGKILL")
    await expect.poll(() => watchersOf(laptop.db), { timeout: 60_000 }).toEqual([])
    expect(await isWatched(laptop.db)).toBe(false)
  })

  it("does without where it is told to", async () => {
    for (const server of [laptop.start("serve --port 0 --no-sync"), laptop.start("serve --port 0", off.env)]) {
      await server.until(/serving on/)
      expect(watchersOf(laptop.db)).toEqual([])
      await server.end()
    }
  })
})
