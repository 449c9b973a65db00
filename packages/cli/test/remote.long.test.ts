import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { type RunOptions, workspace } from "./support/cli.js"
import { openGate } from "./support/gate.js"

describe("CONTEXT_SYNC=remote", () => {
  let sqld: Sqld
  beforeAll(async () => {
    sqld = await startSqld()
  })
  afterAll(() => sqld.close())

  /** A machine with a place of its own for what is temporary. */
  const machine = (name: string, mode: string) => {
    const place = workspace()
    const temporary = join(place.directory, "tmp")
    mkdirSync(temporary)
    const env = (): Record<string, string> => ({
      CONTEXT_SYNC: mode,
      CONTEXT_ACTOR: name,
      CONTEXT_SYNC_FILE: join(place.directory, "sync.json"),
      TMPDIR: temporary,
      TURSO_URL: sqld.url,
      TURSO_AUTH_TOKEN: Redacted.value(sqld.token()),
    })
    const run = (line: string, options: RunOptions = {}) =>
      place.run(line, { ...options, env: { ...env(), ...options.env } })
    const json = async (line: string) => JSON.parse((await run(`${line} --json`)).stdout)
    const give = async (args: ReadonlyArray<string>) => {
      // Nothing is pushed behind it, which the next one would find at work.
      const CONTEXT_SYNC = args.includes("--wait-sync") ? mode : "off"
      const ended = await place.run(args, { env: { ...env(), CONTEXT_SYNC } })
      expect(ended, ended.stderr).toMatchObject({ code: 0 })
    }
    return { ...place, temporary, run, json, give, left: () => readdirSync(temporary) }
  }
  const laptop = machine("ada", "synced")
  const job = machine("ci", "remote")
  const names = (rows: ReadonlyArray<{ readonly name: string }>) => rows.map(({ name }) => name).sort()

  it("names the modes that there are", async () => {
    for (const line of ["server list", "status", "sync status", "server add x --ip 10.9.9.9"]) {
      const { code, stderr } = await job.run(line, { env: { CONTEXT_SYNC: "replicate" } })
      expect(code, line).toBe(2)
      expect(stderr).toContain('CONTEXT_SYNC must be one of synced, remote, replica, off, not "replicate"')
    }
  })

  it("writes into the shared log alone, and another machine has it", async () => {
    const added = await job.run("server add alpha --ip 10.0.0.1")
    expect(added.stderr).toBe("")
    expect(added.code).toBe(0)
    expect(existsSync(job.db)).toBe(false)
    expect(existsSync(join(job.directory, ".config", "context", "logs"))).toBe(false)
    expect(await laptop.json("sync now")).toMatchObject({ pulled: 1 })
    expect(names(await laptop.json("server list"))).toEqual(["alpha"])
  })

  it("reads what another machine wrote, now and as of the past", async () => {
    expect((await laptop.run("server add beta --ip 10.0.0.2 --wait-sync")).code).toBe(0)
    expect(names(await job.json("server list"))).toEqual(["alpha", "beta"])
    expect(names(await job.json("server list --at 1"))).toEqual(["alpha"])
    expect((await job.run("status")).stdout).toContain("beta")
    expect((await job.run("audit verify")).code).toBe(0)
    expect(await job.json("sync status")).toMatchObject({ confirmed: 2, pending: 0, lastError: null })
  })

  it("has a key of its own made, which writes nothing into a log of which nobody has said who may", async () => {
    const key = join(job.directory, "machine.key")
    const added = await job.run("server add signed --ip 10.0.0.3", { env: { CONTEXT_KEY: key } })
    expect(added.code).toBe(1)
    expect(added.stderr).toContain("context infra machine root")
    expect(added.stderr).not.toContain("work is kept here")
    expect(statSync(key).mode & 0o777).toBe(0o600)
    expect((await job.run("server list", { env: { CONTEXT_KEY: key } })).stdout).toContain("alpha")
  })

  it("says of a file that there is none", async () => {
    const named = await job.run("server list --db here.db")
    expect(named.code).toBe(2)
    expect(named.stderr).toContain("--db names a file")
    const served = await job.run("serve --port 0")
    expect(served.code).toBe(1)
    expect(served.stderr).toContain("keeps no file")
    expect((await job.run("restore some.db --yes")).stderr).toContain("keeps no file")
  })

  it("answers what has to do with the shared log as far as that goes without a file", async () => {
    expect(await job.json("sync now")).toMatchObject({ pushed: 0, pulled: 0, pending: 0 })
    for (const line of ["sync heal --yes", "sync join --yes"]) {
      const { code, stderr } = await job.run(line)
      expect(code, line).toBe(1)
      expect(stderr).toContain("keeps no file")
    }
    const file = { TURSO_URL: "", TURSO_AUTH_TOKEN: "" }
    const connected = await job.run(`sync connect ${sqld.url}`, { input: Redacted.value(sqld.token()), env: file })
    expect(connected.code, connected.stderr).toBe(0)
    expect((await job.run("server list", { env: file })).stdout).toContain("alpha")
    await sqld.kill()
    try {
      expect((await job.run("sync disconnect", { env: file })).code).toBe(0)
    } finally {
      await sqld.start()
    }
    expect((await job.run("server list", { env: file })).code).toBe(1)
  })

  it("refuses a command that others have overtaken, and the shared log has it as refused", async () => {
    await laptop.run("sync now")
    const line = await openGate(sqld.port)
    try {
      const late = job.run("server add gamma --ip 10.0.0.4", { env: { TURSO_URL: line.url } })
      await line.pushing
      expect((await laptop.run("server add gamma --ip 10.0.0.5 --wait-sync")).code).toBe(0)
      line.open()
      const { code, stderr, stdout } = await late
      expect(code).toBe(1)
      expect(stdout).toBe("")
      expect(stderr).toContain("gamma")
      expect(stderr).toContain("nothing was kept here")
    } finally {
      await line.close()
    }
    const open = await job.run("sync rejected")
    expect(open.code).toBe(1)
    const [row] = await job.json("sync rejected")
    expect((await job.run(`sync rejected drop ${row.id}`)).code).toBe(0)
    expect((await job.run("sync rejected")).code).toBe(0)
  })

  it("begins no deployment before the shared log has it, and ends none that the shared log has not", async () => {
    const marker = join(job.directory, "marker")
    const started = join(job.directory, "started")
    writeFileSync(marker, "here\n")
    await laptop.give(["server", "add", "here", "--local"])
    await laptop.give(["service", "add", "web", "--server", "here", "--log", marker])
    const deploy = `touch ${started}; while [ -e ${started} ]; do sleep 0.1; done`
    await laptop.give(["service", "add", "slow", "--server", "here", "--deploy", deploy, "--wait-sync"])
    const line = await openGate(sqld.port)
    const deploying = job.run("deploy slow", { env: { TURSO_URL: line.url } })
    await line.pushing
    // A second or so, in which it would have begun.
    for (let n = 0; n < 5; n++) await laptop.run("sync now")
    expect(existsSync(started)).toBe(false)
    line.open()
    await expect.poll(() => existsSync(started), { timeout: 60_000 }).toBe(true)
    await laptop.run("sync now")
    expect(await laptop.json("history slow")).toMatchObject([{ status: "in_progress" }])
    rmSync(started)
    expect(await deploying).toMatchObject({ code: 0 })
    await laptop.run("sync now")
    expect(await laptop.json("history slow")).toMatchObject([{ status: "success" }])
    await line.close()
  })

  it("says what was not pushed, and that it is nowhere", async () => {
    const line = await openGate(sqld.port)
    const late = job.run("server add delta --ip 10.0.0.6", { env: { TURSO_URL: line.url } })
    await line.pushing
    await line.close()
    const { code, stderr, stdout } = await late
    expect(code).toBe(1)
    expect(stdout).toBe("")
    expect(stderr).toContain("not in the shared log, and nothing was kept here")
    expect(stderr).not.toContain("tried again")
    expect(names(await job.json("server list"))).not.toContain("delta")
  })

  it("says that a token may only read, before or after as the case may be", async () => {
    const env = { TURSO_AUTH_TOKEN: Redacted.value(sqld.token({ a: "ro" })) }
    expect((await job.run("server list", { env })).code).toBe(0)
    const written = await job.run("server add epsilon --ip 10.0.0.7", { env })
    expect(written.code).toBe(1)
    expect(written.stderr).toContain("may only be read with this token")
    expect(written.stderr).toContain("TURSO_AUTH_TOKEN")
    expect(written.stderr).not.toContain(env.TURSO_AUTH_TOKEN)
  })

  it("does nothing where the primary cannot be reached, or is not named", async () => {
    const nobody = await job.run("server add zeta --ip 10.0.0.8", { env: { TURSO_URL: "http://127.0.0.1:9" } })
    expect(nobody.code).toBe(1)
    expect(nobody.stderr).toContain("cannot be reached")
    expect(nobody.stderr).toContain("Nothing was done")
    const unnamed = await job.run("server list", { env: { TURSO_URL: "", TURSO_AUTH_TOKEN: "" } })
    expect(unnamed.code).toBe(1)
    expect(unnamed.stderr).toContain("no shared log is configured")
    expect(unnamed.stderr).toContain("set TURSO_URL")
  })

  it("shows how far it has read, on a terminal", async () => {
    const line = await openGate(sqld.port)
    line.delay = 600
    const shown = await job.run("server list", { terminal: true, env: { TURSO_URL: line.url, TERM: "xterm" } })
    await line.close()
    expect(shown.stdout).toContain("reading the shared log")
  })

  it("leaves no file behind, neither after a success nor after a failure", async () => {
    expect(job.left()).toEqual([])
    expect(readdirSync(job.directory).filter((name) => name.startsWith("infra.db"))).toEqual([])
  })

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 130],
  ] as const) {
    it(`leaves no file behind after ${signal}`, async () => {
      const ended = await killedAsItFollows(signal)
      expect(ended.code).toBe(status)
      expect(job.left()).toEqual([])
    })
  }

  it("removes with the next command what a killed one left, and nothing of one that lives", async () => {
    await killedAsItFollows("SIGKILL")
    expect(job.left()).toHaveLength(1)
    expect(statSync(join(job.temporary, job.left()[0] as string)).mode & 0o777).toBe(0o700)
    let during: ReadonlyArray<string> = []
    let begun = false
    const living = await job.run("service logs web -f -n 1", {
      watch: (_, signal) => {
        if (begun) return
        begun = true
        job.run("server list").then(() => {
          during = job.left()
          signal("SIGINT")
        })
      },
    })
    expect(living.code).toBe(130)
    expect(during).toHaveLength(1)
    expect(job.left()).toEqual([])
  })

  /** A command that goes on until a signal ends it, which comes when it works on its log. */
  const killedAsItFollows = (name: NodeJS.Signals) =>
    job.run("service logs web -f -n 1", { watch: (_, signal) => signal(name) })

  it("never puts the token where it can be read", async () => {
    const secret = Redacted.value(sqld.token())
    const shown = await job.run("sync status")
    expect(shown.stdout + shown.stderr).not.toContain(secret)
    expect(readFileSync(laptop.db).includes(secret)).toBe(false)
  })

  it("is a mode beside that of a replica, which is kept beside the file and read from", async () => {
    const phone = machine("eve", "replica")
    const pulled = await phone.run("sync now --json")
    expect(pulled.stderr).toBe("")
    expect(JSON.parse(pulled.stdout)).toMatchObject({ pending: 0 })
    expect(readdirSync(`${phone.db}-replica`)).toContain("replica.db")
    await laptop.run("sync now")
    expect(names(await phone.json("server list"))).toEqual(names(await laptop.json("server list")))
    expect((await phone.run("server add theta --ip 10.0.0.9 --wait-sync")).code).toBe(0)
    expect(names(await job.json("server list"))).toContain("theta")
  })
})
