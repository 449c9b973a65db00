/** What is said reads as one sentence, and names what there is. */
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { describe, expect, it, vi } from "vitest"
import { signing } from "./support/enrolled.js"

vi.setConfig({ testTimeout: 120_000 })

describe("words", () => {
  const ada = signing("ada", { CONTEXT_SYNC: "off" })

  it("of a name or a file that is taken", async () => {
    await ada.succeed("server add alpha --local")
    await ada.succeed("machine add ci")
    await ada.succeed("machine add handy")
    const taken = 'error: a machine named "ci" is there already; choose another name\n'
    expect(await ada.run("machine add ci")).toMatchObject({ code: 1, stderr: taken })
    expect(await ada.run("machine rename handy ci")).toMatchObject({ code: 1, stderr: taken })
    // The name of a machine that was revoked becomes free by what is said.
    await ada.succeed("machine revoke ci --yes")
    const refused = await ada.run("machine add ci")
    expect(refused.stderr).toContain("which was revoked: context infra machine rename ci ci-old makes the name free")
    await ada.succeed("machine rename ci ci-old")
    await ada.succeed("machine add ci")
    const backup = join(ada.directory, "backup.db")
    await ada.succeed(`backup ${backup}`)
    expect((await ada.run(`backup ${backup}`)).stderr).toMatch(/^error: \/.* exists already; name a file/)
    expect((await ada.run(`audit export --into ${backup}`)).stderr).toMatch(/^error: \/.* exists already/)
  })

  it("of what was done, a sentence a line", async () => {
    const backup = join(ada.directory, "older.db")
    await ada.succeed(`backup ${backup}`)
    await ada.succeed("server add beta --local")
    const lines = (await ada.succeed(`restore ${backup} --yes`)).trim().split("\n")
    expect(lines.map((line) => line.slice(0, 10))).toEqual(["✓ restored", "  the back", "  given up"])
  })

  it("of what was done, where somebody stops waiting for the shared log", async () => {
    const mute = createServer(() => {})
    await new Promise<void>((done) => mute.listen(0, "127.0.0.1", done))
    const TURSO_URL = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`
    let interrupted = false
    const ended = await ada.run("server add patient --ip 10.0.0.9 --wait-sync", {
      env: { CONTEXT_SYNC: "", TURSO_URL, TERM: "xterm" },
      terminal: true,
      watch: (soFar, _, type) => {
        if (interrupted || !soFar.includes("waiting until")) return
        interrupted = true
        type("\u0003")
      },
    })
    mute.close()
    mute.closeAllConnections()
    expect(ended.code).toBe(130)
    expect(ended.stdout).toContain("done and kept here, not yet shared: context infra sync status")
    expect((await ada.json("server show patient")).name).toBe("patient")
  })

  it("of settings and files that are wrong", async () => {
    const wrong = await ada.run("sync now", { env: { CONTEXT_SYNC: "", TURSO_URL: "nonsense" } })
    expect(wrong.stderr).toMatch(/^error: TURSO_URL is not a URL/)
    const file = join(ada.directory, "broken.json")
    writeFileSync(file, "{", { mode: 0o600 })
    const said = (await ada.run("sync now", { env: { CONTEXT_SYNC: "", CONTEXT_SYNC_FILE: file } })).stderr
    expect(said).toMatch(/^error: \/.*broken\.json is not what sync connect writes/)
    expect((await ada.run("sync connect nonsense")).stderr).toMatch(/^error: <url> is not a URL/)
    const longer = await ada.run("sync connect http://localhost:1/v2?x=secret")
    expect(longer).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/must end with the host.*\(http:\/\/localhost:1\)/s),
    })
    expect(longer.stderr).not.toContain("secret")
    expect((await ada.run("server list --at 999")).stderr).toMatch(
      /^error: --at is beyond the end: the log ends at position \d/,
    )
  })

  it("of a machine are its name as it is now", async () => {
    await ada.succeed("server add delta --local")
    const { key, machine } = await ada.json("machine add builder")
    await ada.succeed("server add gamma --local", { env: { CONTEXT_KEY: key } })
    await ada.succeed("machine rename builder runner")
    const { machines } = await ada.json("audit verify")
    expect(machines).toContainEqual({ machineId: machine.machineId, name: "runner", events: 1 })
  })

  it("of an invite: its id, and how long it may be good", async () => {
    const { inviteId } = await ada.json("sync invite")
    expect(await ada.succeed(`sync invite withdraw ${inviteId}`)).toContain("withdrew")
    const shown = await ada.succeed("sync invite")
    const [, id] = /context infra sync invite withdraw (\S+)/.exec(shown) ?? []
    await ada.succeed(`sync invite withdraw ${id}`)
    expect((await ada.run("sync invite --expires 10y")).stderr).toContain("90d")
  })
})
