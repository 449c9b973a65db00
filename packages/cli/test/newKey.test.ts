/** A machine whose key was revoked, with work that waits: the way that it is shown leads to all of it. */
import { renameSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { type Sqld, startSqld } from "../../store/test/support/sqld.js"
import { invited, itself, type Signing, signing, token } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })

let sqld: Sqld
beforeAll(async () => {
  sqld = await startSqld()
})
afterAll(() => sqld?.close())

const names = async (of: Signing) => (await of.json("server list")).map((row: { name: string }) => row.name).sort()

describe("what waits under a key that was revoked", () => {
  const [ada, sam] = [signing("ada"), signing("sam")]
  const off = { env: { CONTEXT_SYNC: "off" } }

  it("is kept, and every way on is named", async () => {
    await ada.succeed(`sync connect ${sqld.url}`, token(sqld))
    await ada.succeed("server add alpha --ip 10.0.0.1 --wait-sync")
    await invited(sam, ada, sqld)
    await ada.succeed("sync now")
    await ada.succeed(`machine revoke ${(await itself(sam)).fingerprint} --yes`)
    await ada.succeed("sync now")
    await sam.succeed("server add beta --ip 10.0.0.2", off)
    await sam.succeed("service add api --server beta --type app", off)
    const { code, stderr } = await sam.run("sync now")
    expect(code).toBe(1)
    for (const way of ["machine approve", "with a new key", "context infra sync rejected"]) expect(stderr.replace(/\s+/g, " ")).toContain(way) // biome-ignore format: one line
  })

  it("is told as refused once there is a new one, and given again, all of it, in its order", async () => {
    renameSync(join(sam.directory, "machine.key"), join(sam.directory, "machine.key.old"))
    const asked = await sam.run(`sync connect ${sqld.url}`, token(sqld))
    expect(asked).toMatchObject({ code: 1, stdout: expect.stringContaining("waits to be enrolled") })
    expect(asked.stderr).toMatch(/2 commands of this machine could not stand[\s\S]*context infra sync rejected/)
    await ada.succeed("sync now")
    await ada.succeed(`machine approve ${(await itself(sam)).fingerprint} --yes`)
    await ada.succeed("sync now")
    await sam.run("sync now")
    expect((await sam.run("sync rejected")).stdout).toContain("which is revoked")
    expect((await sam.run("sync rejected retry --all abc")).code).toBe(2)
    expect(await names(sam)).toEqual(["alpha"])
    // What a machine could not do is its own to give again, after a look at it.
    await ada.succeed("sync now")
    await ada.succeed("sync rejected retry --all --yes")
    expect((await ada.json("sync rejected")).map(({ status }: { status: string }) => status)).toEqual(["open", "open"])
    const shown = await sam.run("sync rejected retry --all")
    expect(shown).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/server beta added[\s\S]*service[\s\S]*add --yes/),
    })
    await sam.succeed("sync rejected retry --all --yes")
    for (const one of [sam, ada]) await one.succeed("sync now")
    for (const one of [sam, ada]) expect(await names(one)).toEqual(["alpha", "beta"])
    expect(await ada.json("service list")).toMatchObject([{ name: "api" }])
    for (const one of [sam, ada]) for (const line of ["alert", "audit verify", "sync status"]) expect((await one.run(line)).code, line).toBe(0) // biome-ignore format: one line
  })
})
