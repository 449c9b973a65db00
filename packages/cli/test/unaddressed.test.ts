/** A log that is shared while nothing here says where: a copied home, and a machine that was turned away as it connected. */
import { cpSync, existsSync, readdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, itself, type Signing, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let sqld: Sqld
const [ada, sam] = [signing("ada"), signing("sam")]
beforeAll(async () => {
  sqld = await startSqld()
  await ada.succeed(`sync connect ${sqld.url}`, token(sqld))
  await ada.succeed("server add alpha --ip 10.0.0.1 --wait-sync")
  await invited(sam, ada, sqld)
})
afterAll(() => sqld?.close())

const off = { env: { CONTEXT_SYNC: "off" } }

/** What the doctor says of the key and of the shared log. */
const doctor = async (machine: Signing) => {
  const { findings } = await machine.json("doctor")
  return findings.filter(({ check }: { readonly check: string }) => check === "sync" || check === "key")
}

describe("a home that was copied to another path", () => {
  const moved = signing("ada")
  beforeAll(() => {
    for (const name of readdirSync(ada.directory).filter((one) => /^(infra\.db|machine\.key$|sync\.json$)/.test(one)))
      cpSync(join(ada.directory, name), join(moved.directory, name))
  })

  it("is said to have a shared log and no address for it, and what waits", async () => {
    for (const waits of ["nothing waits", "1 event waits"]) {
      const said = `this log is shared, but no address for it is configured here: ${waits}`
      expect(await moved.run("alert")).toMatchObject({ code: 1 })
      expect(await moved.json("alert")).toMatchObject([{ severity: "warning", message: expect.stringContaining(said), next: "context infra sync connect <url>" }]) // biome-ignore format: one line
      expect(await doctor(moved)).toContainEqual({ check: "sync", level: "warning", found: expect.stringContaining(said), fix: "context infra sync connect <url>" }) // biome-ignore format: one line
      expect(await moved.succeed("sync status")).toMatch(
        /no address for it is configured here: context\s+infra sync connect <url>/,
      )
      if (waits === "nothing waits") await moved.succeed("server add beta --ip 10.0.0.2")
    }
  })

  it("is well once it is connected, and once it was left on purpose", async () => {
    await moved.succeed(`sync connect ${sqld.url}`, token(sqld))
    await ada.succeed("sync now")
    expect((await ada.json("server list")).length).toBe(2)
    await moved.succeed("sync disconnect")
    await moved.succeed("server add gamma --ip 10.0.0.3")
    expect(await moved.json("alert")).toEqual([])
    expect(JSON.stringify(await doctor(moved))).toContain("this machine works alone")
    expect(await moved.succeed("sync status")).toContain("this machine works alone")
  })
})

describe("a machine that was revoked and connects", () => {
  const revokedKey = join(sam.directory, "machine.key")
  const connect = () => sam.run(`sync connect ${sqld.url}`, token(sqld))

  it("is told that no address is kept, and to connect again once it is let in", async () => {
    await ada.succeed("sync now")
    await ada.succeed(`machine revoke ${(await itself(sam)).fingerprint} --yes`)
    await sam.succeed("server add delta --ip 10.0.0.4", off)
    rmSync(sam.file)
    const { code, stderr } = await connect()
    expect(code).toBe(1)
    expect(stderr.replace(/\s+/g, " ")).toMatch(/was revoked.*connected to nothing.*sync connect <url> again/)
    expect(existsSync(sam.file)).toBe(false)
  })

  it("says one thing of its key when that was moved away", async () => {
    renameSync(revokedKey, `${revokedKey}.old`)
    const status = await sam.run("sync status")
    expect(status.code).toBe(1)
    expect(status.stdout).not.toMatch(/this machine was revoked|sync now asks/)
    expect(status.stdout.replace(/\s+/g, " ")).toContain(
      "the key that this machine had was revoked, and is not here any more",
    )
    const found = await doctor(sam)
    expect(JSON.stringify(found)).not.toContain("this machine was revoked")
    expect(found).toContainEqual(expect.objectContaining({ check: "key", level: "warning", found: expect.stringContaining("none yet") })) // biome-ignore format: one line
    renameSync(`${revokedKey}.old`, revokedKey)
  })

  it("gets all of it through by the way that it was told", async () => {
    await ada.succeed(`machine approve ${(await itself(sam)).fingerprint} --yes`)
    expect(await connect()).toMatchObject({ code: 0 })
    await ada.succeed("sync now")
    expect((await ada.json("server list")).map(({ name }: { readonly name: string }) => name)).toContain("delta")
    expect(await sam.json("alert")).toEqual([])
    // What was copied from its home, key and all, has written to the log above.
    expect(await ada.json("alert")).toMatchObject([{ message: expect.stringContaining("a copy of its disk") }])
  })
})
