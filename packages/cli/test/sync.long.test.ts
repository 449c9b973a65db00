import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { type RunOptions, workspace } from "./support/cli.js"

describe("context infra sync", () => {
  let sqld: Sqld
  beforeAll(async () => {
    sqld = await startSqld()
  })
  afterAll(() => sqld.close())

  /** A machine with a log and a configuration of its own. */
  const machine = (name: string) => {
    const place = workspace()
    const file = join(place.directory, "sync.json")
    const env = { CONTEXT_SYNC_FILE: file, CONTEXT_ACTOR: name }
    const run = (line: string, options: RunOptions = {}) =>
      place.run(line, { ...options, env: { ...env, ...options.env } })
    const json = async (line: string) => JSON.parse((await run(`${line} --json`)).stdout)
    return { ...place, file, run, json }
  }
  const laptop = machine("ada")
  const phone = machine("bob")
  const token = () => Redacted.value(sqld.token())

  it("says that a machine works alone, and what to do about it", async () => {
    const { code, stdout } = await laptop.run("sync status")
    expect(code).toBe(0)
    expect(stdout).toContain("context infra sync connect <url>")
    const now = await laptop.run("sync now")
    expect(now.code).toBe(1)
    expect(now.stderr).toContain("no shared log is configured")
  })

  it("connects with a token from standard input, which only its owner can read and nobody sees", async () => {
    await laptop.run("server add alpha --ip 10.0.0.1")
    const secret = token()
    const connected = await laptop.run(`sync connect ${sqld.url}`, { input: `${secret}\n` })
    expect(connected.stderr).toBe("")
    expect(connected.code).toBe(0)
    expect(connected.stdout).toContain("1 event pushed")
    expect(statSync(laptop.file).mode & 0o777).toBe(0o600)
    for (const text of [
      connected.stdout,
      (await laptop.run("sync status")).stdout,
      (await laptop.run("sync log")).stdout,
    ]) {
      expect(text).not.toContain(secret)
    }
    expect(readFileSync(laptop.db).includes(secret)).toBe(false)
  })

  it("brings to one machine what another did, and back", async () => {
    const joined = await phone.run(`sync connect ${sqld.url}`, { input: token() })
    expect(joined.stdout).toContain("1 event pulled")
    expect((await phone.json("server list")).map((row: { name: string }) => row.name)).toEqual(["alpha"])
    expect((await phone.run("server add beta --ip 10.0.0.2 --wait-sync")).code).toBe(0)
    expect(await laptop.json("sync now")).toMatchObject({ pulled: 1, pushed: 0, rejected: [] })
    expect(await laptop.json("server list")).toEqual(await phone.json("server list"))
  })

  it("does so by itself after a command that wrote, and no command waits for it", async () => {
    const there = { cwd: laptop.directory }
    expect((await laptop.run("server add gamma --ip 10.0.0.3 --db infra.db", there)).code).toBe(0)
    await expect
      .poll(async () => (await phone.json("sync now")) && (await phone.json("server list")).length, { timeout: 90_000 })
      .toBe(3)
  })

  it("works without the link, and says what waits", async () => {
    await sqld.kill()
    expect((await laptop.run("server add delta --ip 10.0.0.4", { env: { CONTEXT_SYNC: "off" } })).code).toBe(0)
    const waiting = await laptop.run("server update delta --notes here --wait-sync")
    expect(waiting.code).toBe(1)
    expect(waiting.stderr).toMatch(/done and kept here, not yet shared: .*cannot be reached/)
    expect(waiting.stdout).toContain("updated")
    const status = await laptop.run("sync status")
    expect(status.code).toBe(1)
    expect(status.stdout).toMatch(/waiting +2 events/)
    await sqld.start()
    // What an earlier command left behind it to push may have been faster.
    expect(await laptop.json("sync now")).toMatchObject({ pending: 0 })
    await phone.run("sync now")
    expect(await phone.json("server show delta")).toMatchObject({ notes: "here" })
    expect((await laptop.run("sync status")).code).toBe(0)
  })

  it("shows a command that could not stand, which is given again or dropped", async () => {
    await phone.json("sync now")
    const off = { env: { CONTEXT_SYNC: "off" } }
    await laptop.run("server remove delta --yes", off)
    await laptop.run("sync now")
    await phone.run("server update delta --notes mine", off)
    const met = await phone.run("sync now")
    expect(met.code).toBe(1)
    expect(met.stderr).toContain("context infra sync rejected")
    const shown = await phone.run("sync rejected")
    expect(shown.code).toBe(1)
    expect(shown.stdout).toContain("delta")
    const everything = await phone.run("status")
    expect(everything).toMatchObject({ code: 1, stdout: expect.stringContaining("✗ 1 command refused") })
    expect(await phone.json("status")).toMatchObject({ ok: false, rejected: 1 })
    const alert = await phone.run("alert")
    expect(alert).toMatchObject({ code: 1, stdout: expect.stringContaining("context infra sync rejected retry") })
    expect(await phone.json("alert")).toMatchObject([{ kind: "rejected", severity: "warning", subject: /^bob@/ }].map((one) => ({ ...one, subject: expect.stringMatching(one.subject) }))) // biome-ignore format: a list
    const [row] = await phone.json("sync rejected")
    const again = await phone.run(`sync rejected retry ${row.id}`, off)
    expect(again.code, again.stderr).toBe(1)
    expect((await phone.run(`sync rejected drop ${row.id}`, off)).code).toBe(0)
    expect((await phone.run("sync rejected")).code).toBe(0)
    expect((await phone.run("status")).code).toBe(0)
    expect(await phone.run("alert")).toMatchObject({ code: 0, stdout: "✓ nothing is known to be wrong\n" })
    expect((await phone.run("sync rejected perhaps")).code).toBe(2)
  })

  it("recognises a log that was reset, and gives it back only when told to", async () => {
    await laptop.json("sync now")
    await sqld.kill()
    sqld.restore(undefined)
    await sqld.start()
    const refused = await laptop.run("sync now")
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("the shared log is gone")
    expect((await laptop.run("sync heal")).stderr).toContain("add --yes")
    expect((await laptop.run("sync heal --yes")).code).toBe(0)
    expect((await phone.run("sync now")).code).toBe(0)
    expect(await laptop.json("server list")).toEqual(await phone.json("server list"))
  })

  it("is left again, with all that was shared", async () => {
    await phone.run("event add kept", { env: { CONTEXT_SYNC: "off" } })
    const left = await phone.run("sync disconnect")
    expect(left.stdout, left.stderr).toMatch(
      /works alone\n {2}1 event of this machine was not pushed: it is in this log alone/,
    )
    expect(existsSync(phone.file)).toBe(false)
    expect(await phone.json("server list")).toEqual(await laptop.json("server list"))
  })

  it("leaves another file alone until it is connected itself", async () => {
    const scratch = join(laptop.directory, "scratch.db")
    const inEnvironment: Record<string, string> = { TURSO_URL: sqld.url, TURSO_AUTH_TOKEN: token() }
    for (const env of [{}, inEnvironment]) {
      expect((await laptop.run(`server add oops --local --db ${scratch}`, { env })).code).toBe(0)
      const told = await laptop.run(`sync now --db ${scratch}`, { env })
      expect([told.code, told.stderr]).toEqual([1, expect.stringContaining("no shared log is configured")])
      await laptop.run(`server remove oops --yes --db ${scratch}`, { env })
    }
    await laptop.json("sync now")
    expect((await laptop.json("server list")).map((row: { name: string }) => row.name)).not.toContain("oops")
    expect((await laptop.run(`server add oops --local --db ${scratch} --wait-sync`)).stderr).toContain(
      "shared with nobody",
    )
    // Of one that is connected that is not said, where only this command keeps to itself.
    const off = await laptop.run("server add quiet --local --wait-sync", { env: { CONTEXT_SYNC: "off" } })
    expect([off.code, off.stderr]).toEqual([1, expect.stringContaining("not yet shared: CONTEXT_SYNC=off")])
    await laptop.run("server remove quiet --yes")
  })

  it("shows both logs before they become one, and asks", async () => {
    const other = machine("eve")
    await other.run("server add own --local")
    const asked = await other.run(`sync connect ${sqld.url}`, { input: token() })
    expect(asked.code).toBe(1)
    expect(asked.stderr).toMatch(/here +1 event since .*servers: own\n.*there +\d+ events since .*servers: .*alpha/)
    expect(asked.stderr).toContain("--yes")
    expect(existsSync(other.file)).toBe(false)
    // The same in a script.
    const env = { TURSO_URL: sqld.url, TURSO_AUTH_TOKEN: token() }
    const refused = await other.run("sync now", { env })
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("sync join")])
    expect((await other.run("sync status", { env })).code).toBe(1)
    expect(await other.json("server list")).toHaveLength(1)
    const joined = await other.run(`sync connect ${sqld.url} --yes`, { input: token() })
    const [, copy = ""] = /as it was before, this log is in (\S+)/.exec(joined.stderr) ?? []
    expect([joined.code, existsSync(copy)], joined.stderr).toEqual([0, true])
    expect((await other.json("server list")).map((row: { name: string }) => row.name)).toEqual(expect.arrayContaining(["alpha", "own"])) // biome-ignore format: one line
  })

  it("keeps the address that works when another one fails", async () => {
    const before = readFileSync(laptop.file, "utf8")
    for (const [url, input, reason] of [
      ["http://127.0.0.1:9", "", "cannot be reached"],
      [sqld.url, "nonsense", "does not accept the token"],
      [sqld.url.replace("http:", "libsql:"), token(), `try ${sqld.url}`],
      ["http://10.255.255.1:8080", token(), "--insecure"],
    ] as const) {
      const failed = await laptop.run(`sync connect ${url}`, { input })
      expect(failed.code, failed.stderr).toBeGreaterThan(0)
      expect(failed.stderr).toContain(reason)
      expect(readFileSync(laptop.file, "utf8")).toBe(before)
    }
    expect((await laptop.run("sync now")).code).toBe(0)
  })
})
