/** `server status` and `server ssh` against real sshds, one of them behind another. */
import { afterAll, beforeAll, expect, it } from "vitest"
import { describeSshd, type Sshd, startSshd } from "../../core/test/support/sshd.js"
import { reached, workspace } from "./support/cli.js"

describeSshd("server status and server ssh", () => {
  const ws = workspace()
  let bastion: Sshd
  let inner: Sshd
  beforeAll(async () => {
    bastion = await startSshd()
    inner = await startSshd({ clientKey: bastion.keyPath })
    const ssh = (to: Sshd, more = "") => `user=${to.user},port=${to.port},key=${to.keyPath}${more}`
    await ws.succeed(["server", "add", "bastion", "--ip", bastion.host, "--ssh", ssh(bastion)])
    await ws.succeed(["server", "add", "inner", "--ip", inner.host, "--ssh", ssh(inner, ",jump=bastion")])
  })
  afterAll(async () => {
    await inner?.dispose()
    await bastion?.dispose()
  })

  it("refuses an unknown host key where nobody can be asked", async () => {
    const ended = await ws.run("server ssh bastion -- true")
    expect(ended).toMatchObject({ code: 1, stdout: "" })
    expect(ended.stderr).toContain(bastion.hostKey.fingerprint)
    expect(ended.stderr).toContain("--accept-host-key")
    expect(bastion.log()).not.toMatch(/Accepted publickey/)
  })

  it("server status connects, through the jump host too, and pins what it is told to accept", async () => {
    const ended = await ws.run("server status --accept-host-key --json")
    expect(JSON.parse(ended.stdout), ended.stderr).toMatchObject([
      { server: "bastion", status: reached },
      { server: "inner", status: reached },
    ])
    expect(ended.stderr).toContain(inner.hostKey.fingerprint)
    expect((await ws.run("server status inner")).stdout).toMatch(/inner +(online|degraded) +\d+ ms/)
  })

  it("server ssh runs a command by OpenSSH and passes its status on", async () => {
    expect(await ws.run(["server", "ssh", "bastion", "--", "echo", "a  b;", "exit", "7"])).toMatchObject({
      code: 7,
      stdout: "a b\n",
    })
    expect(await ws.run(["server", "ssh", "bastion", "--", "cat"], { input: "typed" })).toMatchObject({
      stdout: "typed",
    })
    const { stdout } = await ws.run(["server", "ssh", "bastion", "--json", "--", "echo x"])
    expect(JSON.parse(stdout)).toEqual({ exitCode: 0, stdout: "x\n", stderr: "" })
  })

  it("server ssh goes through the jump host, which is checked against its pin, too", async () => {
    bastion.clearLog()
    const ended = await ws.run(["server", "ssh", "inner", "--", "echo", "$SSH_CONNECTION"])
    expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining(String(inner.port)) })
    expect(bastion.log()).toMatch(/direct-tcpip|Accepted publickey/)
  })

  it("a changed key of the jump host is refused, until it is forgotten", async () => {
    await bastion.restart({ newHostKeys: true })
    const refused = await ws.run(["server", "ssh", "inner", "--", "true"])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/has changed/)
    expect(refused.stderr).toMatch(/server trust/)
    expect((await ws.run("server trust bastion")).code).toBe(1)
    expect(await ws.json("server trust bastion --yes")).toMatchObject({
      server: "bastion",
      forgotten: [`${bastion.host}:${bastion.port}`],
    })
    const again = await ws.run(["server", "ssh", "inner", "--accept-host-key", "--", "true"])
    expect(again.code, again.stderr).toBe(0)
  })

  it("a server that is gone is offline, with the reason and status 1", async () => {
    await inner.stop()
    const ended = await ws.run("server status --json")
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.stdout)).toMatchObject([
      { server: "bastion", status: reached },
      { server: "inner", status: "offline", reason: expect.stringMatching(/refused|connect/i) },
    ])
    expect((await ws.run("status")).code).toBe(1)
    const ssh = await ws.run(["server", "ssh", "inner", "--", "true"])
    expect(ssh.code).toBe(1)
    expect(ssh.stderr.match(/error:/g)).toHaveLength(1)
  })
})
