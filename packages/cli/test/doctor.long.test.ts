/** Each kind of trouble is made for real, and the doctor finds it. */
import { type ChildProcess, spawn } from "node:child_process"
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { join } from "node:path"
import * as Redacted from "effect/Redacted"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { damaged } from "../../store/test/support/audited.js"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { type RunOptions, workspace } from "./support/cli.js"

interface Finding {
  readonly check: string
  readonly level: "ok" | "warning" | "trouble"
  readonly found: string
  readonly fix?: string
}

/** A machine with its log in a directory of its own, and what the doctor says of it. */
const patient = () => {
  const place = workspace()
  const home = join(place.directory, "home")
  mkdirSync(home, { mode: 0o700 })
  const db = join(home, "infra.db")
  const file = join(home, "sync.json")
  const key = join(home, "machine.key")
  const env = {
    CONTEXT_DB: db,
    CONTEXT_SYNC_FILE: file,
    CONTEXT_KEY: key,
    HOME: home,
    SSH_AUTH_SOCK: "",
    TURSO_URL: "",
    TURSO_AUTH_TOKEN: "",
  }
  const run = (line: string | ReadonlyArray<string>, options: RunOptions = {}) =>
    place.run(line, { ...options, env: { ...env, ...options.env } })
  const give = async (line: string | ReadonlyArray<string>, options?: RunOptions) => {
    const ended = await run(line, options)
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
  }
  const examine = async (more: Record<string, string> = {}) => {
    const { code, stderr, stdout } = await run("doctor --json", { env: more })
    expect(stderr).toBe("")
    const { findings, ok } = JSON.parse(stdout) as { readonly ok: boolean; readonly findings: ReadonlyArray<Finding> }
    expect(code).toBe(ok ? 0 : 1)
    expect(ok).toBe(findings.every(({ level }) => level !== "trouble"))
    const of = (check: string) => findings.filter((finding) => finding.check === check)
    return { code, findings, of, bad: findings.filter(({ level }) => level !== "ok") }
  }
  return { ...place, home, db, file, key, run, give, examine }
}

/** Runs SQL on a file as some other program would. */
const sql = (path: string, text: string): void => {
  const Native = createRequire(import.meta.url)("libsql")
  const database = new Native(path)
  database.exec(text)
  database.close()
}

describe("context doctor", { timeout: 120_000 }, () => {
  it("finds a machine well that is, and changes nothing of it", async () => {
    const one = patient()
    await one.give("server add here --local")
    const before = readFileSync(one.db)
    const { code, findings, of } = await one.examine()
    expect(code).toBe(0)
    for (const check of [
      "node",
      "driver",
      "database",
      "integrity",
      "chain",
      "log",
      "disk",
      "permissions",
      "key",
      "sync",
      "ssh",
    ]) {
      expect(of(check), check).toMatchObject([{ level: "ok" }])
    }
    expect(findings.filter(({ level }) => level !== "ok")).toEqual([])
    expect(of("chain")[0]?.found).toBe("the last 2 of 2 events hold")
    expect(readFileSync(one.db).equals(before)).toBe(true)
    const shown = await one.run("doctor")
    expect(shown.code).toBe(0)
    expect(shown.stdout).toContain("all is well")
  })

  it("is found without infra, too", async () => {
    const one = patient()
    const { stdout } = await one.run("doctor --help")
    expect(stdout).toContain("context infra doctor")
    const { context } = await import("./support/cli.js")
    const short = await context(["doctor", "--json"], { env: { CONTEXT_DB: one.db, HOME: one.home } })
    expect(JSON.parse(short.stdout)).toMatchObject({ ok: true })
    expect((await context(["doctr"])).stderr).toContain("did you mean doctor?")
  })

  it("makes no database where there is none", async () => {
    const one = patient()
    const { code, of } = await one.examine()
    expect(code).toBe(0)
    expect(of("database")).toMatchObject([{ level: "warning", found: expect.stringContaining("no log at") }])
    expect(existsSync(one.db)).toBe(false)
    expect(existsSync(one.key)).toBe(false)
  })

  it("finds a file that is no database, one of another program, and one of a newer context", async () => {
    const one = patient()
    damaged(one.db)
    writeFileSync(one.db, "not a database at all ".repeat(500), { mode: 0o600 })
    expect((await one.examine()).of("database")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("not a database") },
    ])
    rmSync(one.db)
    sql(one.db, "CREATE TABLE notes (text)")
    chmodSync(one.db, 0o600)
    expect((await one.examine()).of("database")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("some other program") },
    ])
    rmSync(one.db)
    await one.give("server add here --local")
    sql(one.db, "PRAGMA user_version = 99")
    const newer = await one.examine()
    expect(newer.of("database")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("newer context (schema 99"), fix: expect.anything() },
    ])
    // The other checks had their say.
    expect(newer.of("driver")).toMatchObject([{ level: "ok" }])
    expect(newer.of("ssh")).toHaveLength(1)
  })

  it("finds pages that are damaged, and half a file", async () => {
    const one = patient()
    damaged(one.db)
    for (let n = 0; n < 3; n++) await one.give(`server add s${n} --local --notes ${"x".repeat(3_000)}`)
    sql(one.db, "PRAGMA wal_checkpoint(TRUNCATE)")
    const whole = readFileSync(one.db)
    const size = statSync(one.db).size
    const fd = openSync(one.db, "r+")
    for (let page = 4096; page < size; page += 4096) writeSync(fd, Buffer.alloc(64, 0xff), 0, 64, page)
    closeSync(fd)
    const torn = await one.examine()
    expect(torn.code).toBe(1)
    expect(
      torn.bad
        .filter(({ level }) => level === "trouble")
        .map(({ found }) => found)
        .join(),
    ).toMatch(/damaged/)
    writeFileSync(one.db, whole)
    const half = openSync(one.db, "r+")
    ftruncateSync(half, Math.floor(size / 2))
    closeSync(half)
    const cutOff = await one.examine()
    expect(cutOff.code).toBe(1)
    expect(cutOff.bad.map(({ found }) => found).join()).toMatch(/damaged/)
  })

  it("finds an event that was changed", async () => {
    const one = patient()
    damaged(one.db)
    await one.give("server add here --local")
    sql(one.db, "DROP TRIGGER events_no_update; UPDATE events SET data = replace(data, 'here', 'hera')")
    expect((await one.examine()).of("chain")).toMatchObject([
      {
        level: "trouble",
        found: expect.stringMatching(/event at position \d is not the one/),
        fix: "context infra audit verify",
      },
    ])
  })

  it("finds a row that is not what the events say, and what it says to do mends it", async () => {
    const one = patient()
    await one.give("server add here --local")
    sql(one.db, "UPDATE servers SET notes = 'nobody wrote this'")
    const { code, of } = await one.examine()
    expect(code).toBe(1)
    expect(of("log")).toMatchObject([
      {
        level: "trouble",
        found: "row here of servers is not what the events say: notes",
        fix: "context infra rebuild",
      },
    ])
    await one.give("rebuild")
    expect((await one.examine()).of("log")).toMatchObject([{ level: "ok" }])
  })

  it("finds what others may read or change, and says how to mend it", async () => {
    const one = patient()
    await one.give("server add here --local")
    chmodSync(one.db, 0o644)
    const { code, of } = await one.examine()
    expect(code).toBe(0)
    expect(of("permissions")).toMatchObject([{ level: "warning", fix: `chmod 600 ${one.db}` }])
    chmodSync(one.db, 0o600)
    // A directory that a person chose is theirs to open, but not to be changed by all.
    chmodSync(one.home, 0o755)
    expect((await one.examine()).of("permissions")).toMatchObject([{ level: "ok" }])
    chmodSync(one.home, 0o777)
    expect((await one.examine()).of("permissions")).toMatchObject([{ level: "trouble", fix: `chmod 700 ${one.home}` }])
    chmodSync(one.home, 0o700)
    expect((await one.examine()).of("permissions")).toMatchObject([{ level: "ok" }])
    const own = { CONTEXT_DB: "" }
    await one.give("server add here --local", { env: own })
    chmodSync(join(one.home, ".claude"), 0o755)
    expect((await one.examine(own)).of("permissions")).toMatchObject([
      { level: "warning", fix: `chmod 700 ${join(one.home, ".claude")}` },
    ])
  })

  it("finds a key that others may read, one that is none, and one that the log does not know", async () => {
    const one = patient()
    await one.give("server add here --local")
    expect((await one.examine()).of("key")).toMatchObject([
      { level: "ok", found: expect.stringContaining("the root of this log") },
    ])
    chmodSync(one.key, 0o644)
    expect((await one.examine()).of("key")).toMatchObject([
      { level: "trouble", fix: `chmod 600 ${one.key}` },
      { level: "ok" },
    ])
    writeFileSync(one.key, "nothing of the kind", { mode: 0o600 })
    chmodSync(one.key, 0o600)
    const broken = await one.examine()
    expect(broken.of("key")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("is not a private key") },
    ])
    expect(JSON.stringify(broken)).not.toContain("nothing of the kind")
    rmSync(one.key)
    const other = join(one.home, "other.db")
    await one.give(`server add there --local --db ${other}`)
    expect((await one.examine()).of("key")).toMatchObject([
      {
        level: "warning",
        found: expect.stringContaining("not enrolled in this log"),
        fix: expect.stringContaining("--invite"),
      },
    ])
  })

  it("finds what is wrong on the way to servers", async () => {
    const one = patient()
    const keyFile = join(one.home, "id_test")
    await one.give(`server add web --ip 10.0.0.1 --ssh "user=ada,key=${keyFile}"`)
    await one.give("server add db --ip 10.0.0.2")
    const missing = await one.examine()
    expect(missing.of("ssh key")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("does not exist") },
    ])
    expect(missing.of("host keys")).toMatchObject([{ level: "warning", found: expect.stringContaining("db, web") }])
    expect(missing.of("ssh agent")).toMatchObject([
      { level: "warning", found: expect.stringContaining("db has no key file of its own") },
    ])
    writeFileSync(keyFile, "secret-key-material", { mode: 0o644 })
    chmodSync(keyFile, 0o644)
    const open = await one.examine()
    expect(open.of("ssh key")).toMatchObject([{ level: "trouble", fix: `chmod 600 ${keyFile}` }])
    expect(JSON.stringify(open)).not.toContain("secret-key-material")
    const hostile = join(one.home, "id; touch owned")
    writeFileSync(hostile, "")
    chmodSync(hostile, 0o644)
    await one.give(["server", "add", "evil", "--ip", "10.0.0.9", "--ssh", `key=${hostile}`])
    expect((await one.examine()).of("ssh key")).toContainEqual(
      expect.objectContaining({ level: "trouble", fix: `chmod 600 '${hostile}'` }),
    )
    await one.give("server remove evil --yes")
    chmodSync(keyFile, 0o600)
    expect((await one.examine()).of("ssh key")).toMatchObject([{ level: "ok" }])
    const gone = await one.examine({ SSH_AUTH_SOCK: join(one.home, "no.sock") })
    expect(gone.of("ssh agent")).toMatchObject([
      { level: "warning", found: expect.stringContaining("cannot be reached") },
    ])
    const none = await one.examine({ PATH: one.home })
    expect(none.of("ssh")).toMatchObject([{ level: "trouble", found: expect.stringContaining("no ssh program") }])
  })

  it("finds an agent, with its keys or without", async () => {
    const one = patient()
    await one.give("server add db --ip 10.0.0.2")
    const socket = join(one.home, "agent.sock")
    const agent: ChildProcess = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" })
    try {
      await expect.poll(() => existsSync(socket), { timeout: 60_000 }).toBe(true)
      const env = { SSH_AUTH_SOCK: socket }
      expect((await one.examine(env)).of("ssh agent")).toMatchObject([
        { level: "warning", found: expect.stringContaining("no keys") },
      ])
      const key = join(one.home, "id_agent")
      const { execFileSync } = await import("node:child_process")
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key])
      execFileSync("ssh-add", ["-q", key], { env: { ...process.env, ...env } })
      expect((await one.examine(env)).of("ssh agent")).toMatchObject([{ level: "ok", found: "1 key" }])
    } finally {
      agent.kill()
    }
  })

  it("fits narrow screens, with what to do below what was found", async () => {
    const one = patient()
    await one.give("server add db --ip 10.0.0.2")
    chmodSync(one.db, 0o644)
    for (const columns of [40, 80]) {
      const { stdout } = await one.run("doctor", {
        terminal: true,
        env: { TERM: "xterm", NO_COLOR: "1", COLUMNS: String(columns) },
      })
      expect(stdout).toContain("→ chmod 600")
    }
  })
})

describe("context doctor, of the shared log", { timeout: 120_000 }, () => {
  let sqld: Sqld
  // Each has a shared log of its own: a machine that comes to another's is a newcomer there.
  beforeEach(async () => {
    sqld = await startSqld()
  })
  afterEach(() => sqld.close())
  const shared = (token: Redacted.Redacted = sqld.token()) => ({
    TURSO_URL: sqld.url,
    TURSO_AUTH_TOKEN: Redacted.value(token),
  })
  const seconds = () => Math.floor(Date.now() / 1000)

  it("finds it well, and leaves it as it is", async () => {
    const one = patient()
    await one.give("server add here --local --wait-sync", { env: shared() })
    const { code, of } = await one.examine(shared())
    expect(code).toBe(0)
    expect(of("shared log")).toMatchObject([{ level: "ok", found: expect.stringContaining("it has 2 events") }])
    expect(of("token")).toMatchObject([{ level: "ok", found: "may read and write" }])
    expect(of("clock")).toMatchObject([{ level: "ok" }])
    expect(of("permissions")).toMatchObject([{ level: "ok" }])
    expect((await one.examine(shared())).of("shared log")).toEqual(of("shared log"))
  })

  it("finds what waits, what went wrong last, and what was refused", async () => {
    const one = patient()
    await one.give("server add delta --local --wait-sync", { env: shared() })
    await one.give("server add epsilon --local")
    expect((await one.examine(shared())).of("sync")).toContainEqual(
      expect.objectContaining({
        level: "warning",
        found: expect.stringContaining("1 event waits"),
        fix: "context infra sync now",
      }),
    )
    await one.run("sync now", { env: { ...shared(), TURSO_URL: "http://127.0.0.1:9" } })
    expect((await one.examine(shared())).of("sync")).toContainEqual(
      expect.objectContaining({ level: "trouble", found: expect.stringContaining("cannot be reached") }),
    )
    const other = patient()
    const { code } = JSON.parse((await one.run("sync invite --json", { env: shared() })).stdout)
    await other.give(`sync connect ${sqld.url} --invite ${code}`, { input: Redacted.value(sqld.token()) })
    await other.give("server remove delta --yes --wait-sync", { env: shared() })
    await one.give("server update delta --notes mine")
    await one.run("sync now", { env: shared() })
    expect((await one.examine(shared())).of("sync")).toContainEqual(
      expect.objectContaining({ level: "trouble", fix: "context infra sync rejected" }),
    )
  })

  it("finds a token that is wrong, may only read, has expired, or soon will", async () => {
    const one = patient()
    await one.give("server add zeta --local --wait-sync", { env: shared() })
    const right = Redacted.value(sqld.token())
    const wrong = await one.examine(shared(Redacted.make(`${right.slice(0, -6)}AAAAAA`)))
    expect(wrong.of("shared log")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("does not accept the token") },
    ])
    expect((await one.examine(shared(sqld.token({ a: "ro" })))).of("token")).toMatchObject([
      { level: "warning", found: expect.stringContaining("may only read") },
    ])
    const old = await one.examine(shared(sqld.token({ a: "rw", exp: seconds() - 3_600 })))
    expect(old.of("token")).toMatchObject([{ level: "trouble", found: expect.stringContaining("expired at") }])
    expect((await one.examine(shared(sqld.token({ a: "rw", exp: seconds() + 86_400 })))).of("token")).toMatchObject([
      { level: "warning", found: expect.stringContaining("expires at") },
      { level: "ok" },
    ])
  })

  it("says that nobody answers, and that a configuration can be read by others", async () => {
    const one = patient()
    const away = await one.examine({ ...shared(), TURSO_URL: "http://127.0.0.1:9" })
    expect(away.code).toBe(1)
    expect(away.of("shared log")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("cannot be reached") },
    ])
    writeFileSync(one.file, JSON.stringify({ url: sqld.url, token: "canary-token" }), { mode: 0o644 })
    chmodSync(one.file, 0o644)
    const open = await one.examine()
    expect(open.of("sync")).toMatchObject([{ level: "trouble", fix: `chmod 600 ${one.file}` }])
  })

  it("finds a clock that is wrong, from the shared log or what is remembered of it", async () => {
    const one = patient()
    const late = join(one.home, "late.cjs")
    writeFileSync(late, "const now = Date.now; Date.now = () => now() - 300_000")
    const env = { ...shared(), NODE_OPTIONS: `--require ${late}` }
    const expected = [{ level: "warning", found: expect.stringMatching(/^(299|30[0-9]) s behind/) }]
    // One that is empty has no time to tell.
    await one.give("server add zeta --local --wait-sync", { env })
    expect((await one.examine(env)).of("clock")).toMatchObject(expected)
    await one.give("server add eta --local --wait-sync", { env })
    expect((await one.examine({ ...env, TURSO_URL: "http://127.0.0.1:9" })).of("clock")).toMatchObject(expected)
    expect((await one.examine(shared())).of("clock")).toMatchObject([{ level: "ok" }])
  })

  it("does not say that a clock is right which it cannot compare now", async () => {
    const one = patient()
    await one.give("server add theta --local --wait-sync", { env: shared() })
    expect((await one.examine(shared())).of("clock")).toMatchObject([{ level: "ok" }])
    const gone = { ...shared(), TURSO_URL: "http://127.0.0.1:9" }
    const last = "not known now; it was within a minute of the shared log's when that last answered"
    expect((await one.examine(gone)).of("clock")).toMatchObject([{ level: "warning", found: last }])
    expect((await patient().examine(gone)).of("clock")).toMatchObject([{ level: "warning", found: "not known now" }])
  })

  it("does not wait for a shared log that is silent", async () => {
    const silent = createServer((socket) => void socket.on("error", () => {}).resume()).listen(0, "127.0.0.1")
    await new Promise((resolve) => silent.once("listening", resolve))
    const { port } = silent.address() as { port: number }
    const { code, of } = await patient().examine({ ...shared(), TURSO_URL: `http://127.0.0.1:${port}` })
    expect(code).toBe(1)
    expect(of("shared log")).toMatchObject([
      { level: "trouble", found: expect.stringContaining("did not answer within 6 s") },
    ])
    expect(of("driver")).toMatchObject([{ level: "ok" }])
    silent.close()
  })

  it("looks at no file where none is kept", async () => {
    const one = patient()
    const { of } = await one.examine({ ...shared(), CONTEXT_SYNC: "remote" })
    expect(of("database")).toEqual([])
    expect(of("sync")).toMatchObject([{ level: "ok", found: expect.stringContaining("mode remote") }])
  })

  it("shows no token and no key, whatever it finds", async () => {
    const one = patient()
    await one.give("server add here2 --local")
    const secrets = [
      sqld.token(),
      sqld.token({ a: "ro" }),
      Redacted.make(`${Redacted.value(sqld.token()).slice(0, -6)}BBBBBB`),
      sqld.token({ a: "rw", exp: seconds() - 1 }),
    ].map(Redacted.value)
    const key = readFileSync(one.key, "utf8").split("\n")[1] as string
    expect(key.length).toBeGreaterThan(20)
    for (const secret of secrets) {
      for (const line of ["doctor", "doctor --json"]) {
        const { stderr, stdout } = await one.run(line, {
          env: { TURSO_URL: sqld.url, TURSO_AUTH_TOKEN: secret, CONTEXT_DEBUG: "1" },
        })
        for (const part of [secret, ...secret.split("."), key]) expect(stdout + stderr).not.toContain(part)
      }
    }
  })
})
