/** A jump host shows another key than the one that is pinned: whatever meets it names what leads on, for the host that it is about. */
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeSshd, type Sshd, startSshd } from "../../core/test/support/sshd.js"
import { reached, workspace } from "./support/cli.js"

describeSshd("a host key that has changed", () => {
  const ws = workspace()
  let bastion: Sshd
  let inner: Sshd
  beforeAll(async () => {
    bastion = await startSshd()
    inner = await startSshd({ clientKey: bastion.keyPath })
    const ssh = (to: Sshd, more = "") => `user=${to.user},port=${to.port},key=${to.keyPath}${more}`
    await ws.succeed(["server", "add", "bastion", "--ip", bastion.host, "--ssh", ssh(bastion)])
    await ws.succeed(["server", "add", "inner", "--ip", inner.host, "--ssh", ssh(inner, ",jump=bastion")])
    await ws.succeed("service add api --server inner --port 1 --health /health --deploy true --restart true --log /tmp/x") // biome-ignore format: one line
    const seen = await ws.run("server status --accept-host-key --json")
    expect(JSON.parse(seen.stdout), seen.stderr).toMatchObject([{ status: reached }, { status: reached }])
    await bastion.restart({ newHostKeys: true })
  })
  afterAll(async () => {
    await inner?.dispose()
    await bastion?.dispose()
  })

  const way = "context infra server trust bastion"
  const about = [
    "server status bastion",
    "server status inner",
    "server run inner -- true",
    "server ssh inner -- true",
    "scan inner",
    "health api",
    "service logs api",
    "service restart api",
    "deploy api",
  ]
  it.each(about)("%s names it", async (line) => {
    const { stderr, stdout } = await ws.run(line)
    const told = `the host key of ${bastion.hostKey.address} has changed: .*Nothing was sent.*Only if .*: ${way}\\b`
    expect(`${stdout}${stderr}`.replaceAll(/\s+/g, " ")).toMatch(new RegExp(told))
  })

  it("so do alert and doctor, which look at nothing, until it is forgotten and another is accepted", async () => {
    const alerts = async () => JSON.parse((await ws.run("alert --json")).stdout) as ReadonlyArray<{ next: string }>
    const keys = async () => {
      const { findings } = JSON.parse((await ws.run("doctor --json")).stdout)
      return findings.filter(({ check }: { check: string }) => check === "host keys")
    }
    expect((await alerts()).map(({ next }) => next)).toEqual([way, way])
    const shown = expect.stringMatching(/another key was shown than is pinned/)
    expect(await keys()).toEqual([
      { check: "host keys", level: "trouble", found: shown, fix: way },
      { check: "host keys", level: "trouble", found: shown, fix: way },
    ])
    await ws.succeed(["server", "trust", "bastion", "--yes"])
    expect((await alerts()).map(({ next }) => next)).toEqual([
      "context infra server status bastion",
      "context infra server status inner",
    ])
    await ws.run("server status --accept-host-key")
    expect(await alerts()).toEqual([])
    expect(await keys()).toMatchObject([{ level: "ok", found: "of 2 servers, all pinned" }])
  })
})
