/** What stands in the environment: a key is taken for a key however it is quoted, and no secret ever becomes the name of a file. */
import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { identityOf } from "@context-engine/store/identity"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld.close())

const remote = () => ({ CONTEXT_SYNC: "remote", TURSO_URL: sqld.url, TURSO_AUTH_TOKEN: token(sqld).input })

describe("a job's settings", () => {
  const laptop = signing("ada")
  let key = ""
  beforeAll(async () => {
    await laptop.succeed("server add alpha --ip 10.0.0.1", { env: { CONTEXT_SYNC: "off" } })
    await laptop.succeed(`sync connect ${sqld.url}`, token(sqld))
    key = (await laptop.json("machine add ci")).key
  })

  /** A job in an empty directory, and what it finds there when it ends. */
  const job = (env: Readonly<Record<string, string>>) => {
    const place = signing("ci")
    const cwd = join(place.directory, "work")
    mkdirSync(cwd)
    const run = (line: string) => place.run(line, { cwd, env: { ...remote(), ...env } })
    return { ...place, run, left: () => readdirSync(cwd, { recursive: true }) }
  }

  it.each([
    ["double quotes", (line: string) => `"${line}"`],
    ["single quotes", (line: string) => `'${line}'`],
    ["space and a line end", (line: string) => `  ${line}\r\n`],
    ["all of it", (line: string) => ` "${line}\n" \n`],
  ])("take a key in %s for that key", async (_, written) => {
    const here = job({ CONTEXT_KEY: written(key), TURSO_AUTH_TOKEN: written(token(sqld).input), TURSO_URL: `"${sqld.url}"\n` }) // biome-ignore format: one line
    const listed = await here.run("machine list --json")
    expect(listed).toMatchObject({ code: 0, stderr: "" })
    expect(JSON.parse(listed.stdout).machines).toContainEqual(expect.objectContaining({ name: "ci", here: true }))
    expect(here.left()).toEqual([])
  })

  it.each([
    ["a key with something before it", () => `KEY=${key}`],
    ["a key with one quote", () => `"${key}`],
    ["a key that was cut", () => key.slice(0, -4)],
    ["a key with something behind it", () => `${key} # ci`],
    ["any other secret", () => "s3cr3t-of-something-else"],
    ["a secret with a slash", () => "s3cr3t/of+something=="],
    ["a private key", () => "-----BEGIN PRIVATE KEY-----\ns3cr3t/\n-----END PRIVATE KEY-----"],
    ["a place that is not there", () => "nowhere-s3cr3t/machine.key"],
  ])("refuse %s, and never show it", async (_, value) => {
    const here = job({ CONTEXT_KEY: value() })
    for (const line of ["server list", "machine list", "server add x --ip 10.0.0.9", "sync now", "doctor"]) {
      const { code, stderr, stdout } = await here.run(line)
      expect(code, line).toBe(1)
      expect(stderr, line).toMatch(/CONTEXT_KEY.*\n {2}\S/)
      for (const secret of [value(), key, key.slice(12, -8), "s3cr3t"]) expect(stdout + stderr).not.toContain(secret)
    }
    expect(here.left()).toEqual([])
    expect((await laptop.json("machine list")).machines.length).toBe(2)
  })

  it("take a key file for one, whatever it is called, and one that is yet to be made", async () => {
    const home = signing("una", { CONTEXT_SYNC: "off" })
    const cwd = home.directory
    await home.succeed("server add alpha --local", { cwd, env: { CONTEXT_KEY: '"./context.key"\n' } })
    expect(readdirSync(cwd)).toContain("context.key")
    expect(await home.succeed("server list", { cwd, env: { CONTEXT_KEY: "context.key" } })).toContain("alpha")
  })

  it("make no key for a command that reads", async () => {
    const CONTEXT_KEY = "./new.key"
    const here = job({ CONTEXT_KEY })
    for (const line of ["server list", "machine list", "status", "sync status", "events", "alert"])
      expect((await here.run(line)).stderr, line).not.toContain("bug")
    expect(here.left()).toEqual([])
    const file = signing("eve", { TURSO_URL: sqld.url, TURSO_AUTH_TOKEN: token(sqld).input, CONTEXT_KEY })
    await file.succeed("machine list", { cwd: file.directory })
    expect(Effect.runSync(identityOf(join(file.directory, "new.key"))).key).toBe("")
    expect(readdirSync(file.directory)).not.toContain("new.key")
    const refused = await here.run("server add x --ip 10.0.0.9")
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("is not enrolled in the shared log") })
    expect(here.left().sort()).toEqual(["new.key", "new.key.pub"])
    await laptop.succeed("sync now")
    // A job that keeps nothing would ask again each time.
    const { machines } = await laptop.json("machine list")
    expect(machines).not.toContainEqual(expect.objectContaining({ status: "waiting" }))
  })

  it("refuse a token with a line break in it without showing it", async () => {
    const here = job({ CONTEXT_KEY: key, TURSO_AUTH_TOKEN: "s3cr3t\nhalf" })
    const { code, stderr } = await here.run("server list")
    expect([code, stderr]).toEqual([2, expect.stringContaining("take the token whole")])
    expect(stderr).not.toContain("s3cr3t")
    expect((await job({ CONTEXT_SYNC: "s3cr3t.of.something" }).run("server list")).stderr).not.toContain("s3cr3t")
    expect((await job({ CONTEXT_KEY: key, CONTEXT_SYNC: '"remote"\n' }).run("server list")).code).toBe(0)
  })
})
