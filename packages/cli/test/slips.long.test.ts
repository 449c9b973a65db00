/** Slips and accidents around the shared log: nothing is decided by one letter, and nothing is lost by a command that fails. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, itself, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld.close())

const laptop = signing("ada")
const phone = signing("eve")

it("a machine is named by its whole name, or by enough of its fingerprint", async () => {
  await laptop.succeed("server add alpha")
  await laptop.succeed(`sync connect ${sqld.url}`, token(sqld))
  await invited(phone, laptop, sqld)
  await laptop.succeed("sync now")
  const { fingerprint } = await itself(phone)
  await laptop.succeed(`machine rename ${fingerprint.slice(0, 4)} phone`)
  for (const slip of [fingerprint[0], fingerprint.slice(0, 3), "p", "phon"]) {
    const { code, stderr } = await laptop.run(`machine revoke ${slip} --yes`)
    expect({ slip, code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("no machine named") })
  }
  expect((await laptop.json("machine list")).machines.map(({ status }: { status: string }) => status)).toEqual([
    "enrolled",
    "enrolled",
  ])
})

it("a newcomer is told of no refusal that is another machine's", async () => {
  await laptop.succeed("sync now")
  await phone.succeed("sync now")
  for (const one of [laptop, phone]) await one.succeed("server add beta", { env: { CONTEXT_SYNC: "off" } })
  await laptop.succeed("sync now")
  expect((await phone.run("sync now")).code).toBe(1)
  await laptop.succeed("sync now")
  const newcomer = signing("una")
  const { code, stderr, stdout } = await newcomer.run(`sync connect ${sqld.url}`, token(sqld))
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.not.stringContaining("could not stand") })
  expect(stdout).toContain("waits to be enrolled")
})

it("a disconnect that fails leaves the address and the token", async () => {
  const before = readFileSync(phone.file, "utf8")
  const log = readFileSync(phone.db)
  writeFileSync(phone.db, "no database, whatever it is called\n".repeat(200))
  expect((await phone.run("sync disconnect")).code).toBe(1)
  expect(readFileSync(phone.file, "utf8")).toBe(before)
  writeFileSync(phone.db, log)
  expect(await phone.json("sync status")).toMatchObject({ remote: sqld.url })
})

it("of a refused command one story is told, whether the log is shared now or not", async () => {
  const told = async (env: Record<string, string>) => {
    for (const line of ["alert", "doctor"]) {
      const { code, stdout } = await phone.run(line, { env })
      expect({ line, code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining("sync rejected") })
    }
  }
  await told({})
  await told({ CONTEXT_SYNC: "off" })
  await phone.succeed("sync disconnect")
  await told({})
  await phone.succeed(`sync connect ${sqld.url}`, token(sqld))
})

it("an admin is not asked whether to begin another root, and a backup is no stream", async () => {
  const root = await laptop.run("machine root")
  expect(root).toMatchObject({ code: 1, stderr: expect.stringContaining("is an admin of this log") })
  expect(root.stderr).not.toContain("--yes")
  const { code, stderr } = await laptop.run("backup -")
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("give it a name") })
})

it("a key that is gone, or is none, is told on every screen, and on no machine that never had one", async () => {
  const key = join(laptop.directory, "machine.key")
  renameSync(key, `${key}.away`)
  const screens = async (words: string) => {
    for (const line of ["alert", "sync status", "doctor"]) {
      const { code, stderr, stdout } = await laptop.run(line)
      expect({ line, code, text: `${stdout}${stderr}`.replace(/\s+/g, " ") }).toMatchObject({
        code: line === "sync status" ? expect.any(Number) : 1,
        text: expect.stringContaining(words),
      })
    }
  }
  await screens("the key that this machine signed with is gone")
  writeFileSync(key, "no key\n", { mode: 0o600 })
  await screens(key)
  rmSync(key)
  renameSync(`${key}.away`, key)
  expect((await laptop.json("sync status")).keyTrouble).toBe(null)
  const backup = join(laptop.directory, "backup.db")
  await laptop.succeed(`backup ${backup}`)
  const another = signing("ben")
  await another.succeed(`restore ${backup} --yes`)
  expect((await another.json("sync status")).keyTrouble).toBe(null)
})

it("a machine that was revoked is not sent for another code, which would not let its key in either", async () => {
  await laptop.succeed("machine revoke phone --yes")
  await laptop.succeed("sync now")
  const { code } = await laptop.json("sync invite")
  const { code: ended, stderr } = await phone.run(`sync connect ${sqld.url} --invite ${code}`, token(sqld))
  expect(ended).toBe(1)
  expect(stderr).toContain("this machine was revoked")
  expect(stderr).toContain("when this machine is let in or has a new key")
  expect(stderr).not.toContain("<another code>")
})
