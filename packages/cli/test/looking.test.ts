/** A log that is named: one that is only looked at, one that may only be read, and one that is not there. */
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs" // biome-ignore format: one line
import { userInfo } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type RunOptions, workspace } from "./support/cli.js"

vi.setConfig({ testTimeout: 60_000 })

/** Whom rights bind: they do not bind root. */
const bound = process.getuid?.() === 0 ? 65_534 : undefined

/** A machine with a home of its own, and nothing that is set. */
const machine = (uid?: number) => {
  const place = workspace()
  const key = join(place.directory, ".config", "context", "machine.key")
  const own = (path: string) => chownSync(path, uid ?? -1, uid ?? -1)
  own(place.directory)
  const run = (line: string, options: RunOptions = {}) =>
    place.run(line, { uid, ...options, env: { CONTEXT_DB: "", CONTEXT_KEY: "", XDG_CONFIG_HOME: "", ...options.env } })
  const succeed = async (line: string, options?: RunOptions) => {
    const ended = await run(line, options)
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    return ended.stdout
  }
  const json = async (line: string, options?: RunOptions) => JSON.parse((await run(`${line} --json`, options)).stdout)
  return { directory: place.directory, key, own, run, succeed, json }
}

type Machine = ReturnType<typeof machine>

/** What the doctor and the alerts say of the key, in the same shape. */
const ofKey = async ({ json }: Machine, more = "") => {
  const { findings } = await json(`doctor${more}`)
  const doctor = findings.filter((one: { check: string; level: string }) => one.check === "key" && one.level !== "ok")
  const alerts = (await json(`alert${more}`)).map((one: { message: string; next: string }) => ({ found: one.message, fix: one.next })) // biome-ignore format: one line
  return { doctor, alerts }
}

it("a key that was never here is not gone, and who lost one is told the same way back everywhere", async () => {
  const [ada, ben] = [machine(), machine()]
  const backup = join(ada.directory, "backup.db")
  await ada.succeed("server add alpha --ip 10.0.0.1")
  await ada.succeed(`backup ${backup}`)
  const anew = expect.stringContaining("machine root --keys-lost")
  const expected = {
    doctor: [{ check: "key", level: "warning", found: expect.stringContaining("none yet"), fix: anew }],
    alerts: [{ found: expect.stringContaining("not enrolled in the log that is here"), fix: anew }],
  }
  // Once more: the alerts open the log, and remember what they saw of it.
  for (const _ of [1, 2]) expect(await ofKey(ben, ` --db ${backup}`)).toEqual(expected)
  await ben.succeed(`restore ${backup} --yes`)
  const restored = await ofKey(ben)
  expect(restored).toEqual(expected)
  expect(restored.doctor[0].fix).toBe(restored.alerts[0].fix)
  rmSync(ada.key)
  const lost = await ofKey(ada)
  const gone = expect.stringContaining("the key that this machine signed with is gone")
  expect(lost.doctor).toEqual([{ check: "key", level: "trouble", found: gone, fix: anew }])
  expect(lost.alerts).toEqual([{ found: gone, fix: lost.doctor[0].fix }])
  // A key of its own is none of that log either.
  await ben.succeed(`machine root --keys-lost --yes`)
  expect(await ofKey(ben)).toEqual({ doctor: [], alerts: [] })
})

it("a slip in the name of the log makes no directory, and a log that is begun under a name is told of", async () => {
  const { directory, run, succeed } = machine()
  const none = join(directory, "no", "such")
  const slip = join(none, "infra.db")
  const add = "server add alpha --ip 10.0.0.1"
  const toldOf = `there is no directory ${none}; make it, or name a file in another`
  const named = { env: { CONTEXT_DB: slip } }
  for (const [line, options] of [[`${add} --db ${slip}`, {}], [add, named], ["status", named]] as const) // biome-ignore format: a list
    expect(await run(line, options), line).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining(toldOf),
    })
  const examined = await run("doctor --json", named)
  expect(examined.stdout).toContain(`there is no log at ${slip}, and no directory for one`)
  expect(existsSync(join(directory, "no"))).toBe(false)
  // What nobody named has a place of its own.
  expect(await run(add)).toMatchObject({ code: 0, stderr: "" })
  const backup = join(directory, "backup.db")
  await succeed(`backup ${backup}`)
  expect(await run(`restore ${backup} --db ${slip} --yes`)).toMatchObject({ stderr: expect.stringContaining(toldOf) })
  mkdirSync(none, { recursive: true })
  // Whoever looked first has left an empty one.
  expect(await run("status", named)).toMatchObject({ code: 0, stderr: "" })
  expect(await run(add, named)).toMatchObject({ code: 0, stderr: `began a new log at ${slip}\n` })
  expect(await run("server add beta --ip 10.0.0.2", named)).toMatchObject({ code: 0, stderr: "" })
  // A log that was seen there comes back, directory and all.
  rmSync(join(directory, "no"), { recursive: true })
  expect(await run(add, named)).toMatchObject({ code: 1, stderr: expect.stringContaining("context infra restore") })
  const lost = (await run("doctor", named)).stdout
  expect(lost).toContain(`there is no log at ${slip} any more`)
  expect(lost).not.toContain("it is made with the first command")
  await succeed(`restore ${backup} --db ${slip} --yes --another-log`)
})

describe("what may only be read", () => {
  const one = machine(bound)
  const [backup, log] = [join(one.directory, "backup"), join(one.directory, ".claude")]
  const config = join(one.directory, ".config")
  const name = bound === undefined ? userInfo().username : "nobody"
  const only = (directory: string) => {
    for (const file of readdirSync(directory)) chmodSync(join(directory, file), 0o400)
    chmodSync(directory, 0o555)
  }
  beforeAll(async () => {
    mkdirSync(backup)
    one.own(backup)
    await one.succeed("server add alpha --ip 10.0.0.1")
    await one.succeed(`backup ${join(backup, "infra.db")}`)
  })
  afterAll(() => {
    for (const directory of [backup, log]) chmodSync(directory, 0o755)
  })
  const reading = ["server list", "status", "audit verify", "events", "alert", "machine list", "sync status", "doctor"]

  it("is looked at all the same: a copy", async () => {
    only(backup)
    const named = ` --db ${join(backup, "infra.db")}`
    for (const line of reading) expect(await one.run(line + named), line).toMatchObject({ code: 0, stderr: "" })
    const refused = await one.run(`server add beta --ip 10.0.0.2${named}`)
    const file = join(backup, "infra.db")
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`${file} may not be written by ${name}`) })
    expect(readdirSync(backup)).toEqual(["infra.db"])
  })

  it("and the log itself, of which the doctor says what may not be written, and by whom", async () => {
    for (const end of ["-wal", "-shm"]) rmSync(join(log, `infra.db${end}`), { force: true })
    const found = (what: string) => `no command can write to the log: ${what} may not be written by ${name}`
    for (const [path, mode] of [
      [log, 0o555],
      [join(log, "infra.db"), 0o400],
    ] as const) {
      // biome-ignore format: one list
      chmodSync(path, mode)
      const { findings, ok } = await one.json("doctor")
      expect(ok).toBe(false)
      const bad = findings.filter(({ level }: { level: string }) => level === "trouble")
      expect(bad).toEqual([{ check: "writable", level: "trouble", found: found(path), fix: `chmod u+w ${path}` }])
      const alerts = await one.json("alert")
      expect(alerts).toMatchObject([{ severity: "critical", message: found(path), next: `chmod u+w ${path}` }])
      for (const line of reading.filter((one) => !["alert", "doctor"].includes(one))) expect(await one.run(line), line).toMatchObject({ code: 0, stderr: "" }) // biome-ignore format: one step
      const refused = await one.run("server add beta --ip 10.0.0.2")
      const why = `${path} may not be written by ${name}; nothing was written: chmod u+w ${path}`
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(why) })
    }
  })

  it("but not without what was written last, where that lies beside it", async () => {
    const half = join(one.directory, "half")
    for (const path of [log, join(log, "infra.db")]) chmodSync(path, 0o700)
    cpSync(log, half, { recursive: true })
    writeFileSync(join(half, "infra.db-wal"), "something")
    for (const file of readdirSync(half)) one.own(join(half, file))
    one.own(half)
    chmodSync(half, 0o555)
    for (const line of ["status", "doctor"]) {
      const { code, stderr, stdout } = await one.run(`${line} --db ${join(half, "infra.db")}`)
      expect(code).toBe(1)
      expect(`${stdout}${stderr}`.replace(/\s+/g, " ")).toMatch(/what was written last is in .*-wal still/)
    }
    chmodSync(half, 0o755)
    rmSync(join(half, "infra.db-wal"))
  })

  it("and where no key can be made, nothing is said of one to be moved away", async () => {
    renameSync(one.key, `${one.key}.away`)
    chmodSync(join(config, "context"), 0o555)
    const refused = await one.run("server add beta --ip 10.0.0.2")
    const said = `${one.key} cannot be made: ${join(config, "context")} may not be written by ${name}`
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(said) })
    expect(refused.stderr).not.toContain("move it away")
    chmodSync(join(config, "context"), 0o700)
  })
})
